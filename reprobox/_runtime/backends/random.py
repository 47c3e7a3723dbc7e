"""Python's ``random``: the hidden generator behind the module's functions, and each ``Random()`` without a seed.

https://docs.python.org/3/library/random.html#random.seed
"""

import os
import sys

from ..streams import find_caller, is_internal
from ..wrapping import is_wrapped, wrap

_BITS = 256
_TAKES_A_SEED = ("/statistics.py",)
"""Files of the standard library whose functions make a generator on behalf of the program."""


def find_version(module):
    """Return Python's version."""
    return sys.version.split()[0]


def seed(module, seed, event):
    """Seed the global generator; a user's own ``random.py`` is left alone."""
    if not _is_standard(module):
        return None
    module.seed(seed)
    return seed


def list_switches(module, switches):
    """Return none: there are no switches."""
    return []


def watch(module, streams):
    """Give every ``Random()`` without a seed its own stream, and notice the global generator being seeded."""
    if not _is_standard(module) or is_wrapped(module.Random.seed):
        return
    wrap(module.Random, "seed", lambda original: _make_seed(module, original, streams))
    wrap(module.Random, "setstate", lambda original: _make_setstate(original, streams))
    # Bound when the module was made, to what the class had then.
    module.seed = module._inst.seed
    module.setstate = module._inst.setstate


def _make_seed(module, original, streams):
    path = original.__code__.co_filename

    def seed(self, a=None, version=2):
        if self is module._inst:
            streams.note_reseed("random.seed", a, given=True)
            a = streams.draw("random", _BITS) if a is None and streams.active else a
        # tempfile takes its names from a generator that nobody is to foresee; copy sets the state of what it makes.
        elif a is None and not is_internal(find_caller(sys._getframe(1), path), but=_TAKES_A_SEED):
            streams.note_unless_restored(self, "random.Random() without a seed")
            a = streams.draw("random", _BITS) if streams.active else a
        return original(self, a, version)

    return seed


def _make_setstate(original, streams):
    def setstate(self, state):
        streams.restore(self)
        return original(self, state)

    return setstate


def _is_standard(module):
    return os.path.dirname(getattr(module, "__file__", None) or "") == os.path.dirname(os.__file__)
