"""NumPy: the legacy global generator of ``np.random.seed``, and the generators that are made without a seed.

https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html
"""

import sys

from ..numpy_states import draw_words, is_given_a_seed, takes_entropy_unseen, watch_states
from ..wrapping import wrap, wrap_everywhere


def find_version(module):
    """Return NumPy's version; ``module`` is ``numpy.random``."""
    # While numpy is being imported its version may not be there yet: it is asked again when the process ends.
    return str(getattr(sys.modules.get("numpy"), "__version__", ""))


def seed(module, seed, event):
    """Seed the global generator: scikit-learn's ``random_state=None``, SciPy and pandas draw from it too."""
    module.seed(seed)
    return seed


def list_switches(module, switches):
    """Return none: BLAS threads are the environment's, read when NumPy is loaded."""
    return []


def watch(module, streams):
    """Give each generator that is made without a seed its own stream, and notice the global one being seeded.

    Since 1.17 every one of them, ``SeedSequence()`` and ``RandomState()`` too, asks one function for its entropy:
    https://github.com/numpy/numpy/blob/v2.3.5/numpy/random/bit_generator.pyx (SeedSequence.__init__)
    """
    owners = (sys.modules.get("numpy.random.mtrand"), module)
    for name in ("numpy.random.bit_generator", "numpy.random._bit_generator"):
        if name in sys.modules:
            wrap(sys.modules[name], "randbits", lambda original: _make_randbits(original, streams))
    # Copies must be of the same class: Theano compares types.
    watch_states((*owners, sys.modules.get("numpy.random._pickle")), streams)
    wrap_everywhere(owners, "seed", lambda original: _make_seed(original, streams))


def _make_randbits(original, streams):
    def randbits(k):
        caller = sys._getframe(1)
        # Unpickling and copying make one first, and set its state afterwards.
        if caller.f_globals.get("__name__") == "numpy.random._pickle" or is_given_a_seed(caller):
            return original(k)
        streams.note_unseeded("a generator of numpy.random without a seed")
        return streams.draw("numpy", k) if streams.active else original(k)

    return randbits


def _make_seed(original, streams):
    def seed(*args, **kwargs):
        value = args[0] if args else kwargs.get("seed")
        # Since 1.17 it asks randbits for a seed that it is not given.
        if value is not None or takes_entropy_unseen():
            streams.note_reseed("numpy.random.seed", value, given=True)
        if value is None and takes_entropy_unseen() and streams.active:
            return original(draw_words(streams))
        return original(*args, **kwargs)

    return seed
