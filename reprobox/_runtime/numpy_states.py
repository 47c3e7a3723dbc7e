"""Tell the ``numpy.random.RandomState`` objects with a seed from those without.

Since 1.17 both ask for entropy: the one with a seed is made without it, and seeded afterwards
(https://github.com/numpy/numpy/blob/v2.3.5/numpy/random/mtrand.pyx, RandomState.__init__). Before, neither does where
it can be seen, and the one without takes its state from the system.
"""

import sys

from .wrapping import is_wrapped

_WORDS = 8


def watch_states(owners, streams):
    """Put a subclass in the place of ``RandomState`` that knows whether it was given a seed."""
    original = owners[0].RandomState
    if is_wrapped(original):
        return
    made = _make_class(original, _give_seed(streams) if takes_entropy_unseen() else _leave_unseeded)
    for owner in owners:
        if getattr(owner, "RandomState", None) is original:
            owner.RandomState = made


def is_given_a_seed(frame):
    """Whether entropy that is asked for in ``frame`` will not be used."""
    return frame.f_code is _init_with_seed.__code__


def draw_words(streams):
    """Return a seed of numbers, of the next stream."""
    return [streams.draw("numpy", 32) for _ in range(_WORDS)]


def _make_class(original, init_without_seed):
    class Kind(type):
        # Those that NumPy makes itself, the global one among them, are of the original class.
        def __instancecheck__(cls, instance):
            return isinstance(instance, original) if cls is RandomState else type.__instancecheck__(cls, instance)

        def __subclasscheck__(cls, kind):
            return issubclass(kind, original) if cls is RandomState else type.__subclasscheck__(cls, kind)

    class RandomState(original, metaclass=Kind):
        def __init__(self, seed=None):
            if seed is None:
                init_without_seed(original, self)
            else:
                _init_with_seed(original, self, seed)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(RandomState, name, getattr(original, name))
    RandomState.reprobox_original = original
    return RandomState


def _init_with_seed(original, state, seed):
    original.__init__(state, seed)


def _leave_unseeded(original, state):
    original.__init__(state)


def _give_seed(streams):
    def init(original, state):
        streams.note_unseeded("numpy.random.RandomState() without a seed")
        original.__init__(state, draw_words(streams) if streams.active else None)

    return init


def takes_entropy_unseen():
    """Whether this NumPy is older than the function that all of them ask since 1.17."""
    return not any(name in sys.modules for name in ("numpy.random.bit_generator", "numpy.random._bit_generator"))
