"""At level ``off``: find the global generators that the program draws from and has never seeded."""

import os
import sys

from .suspects import USER, find_owner, forget_seeded, list_seeded, name_place, note_at

_remembered = {}


def remember(module):
    """Keep the state of a module's generator as it is right after the import, and the line that imports it."""
    name = module.__name__
    place = _find_import(sys._getframe(1))
    _remember_state(name, module, place)
    if name == "random" and hasattr(os, "register_at_fork"):
        # CPython has it start anew in each forked child, by a function that was registered before this one.
        os.register_at_fork(after_in_child=lambda: _remember_anew(name, module, place))


def _remember_anew(name, module, place):
    forget_seeded("random.seed")
    _remember_state(name, module, place)


def _remember_state(name, module, place):
    try:
        _remembered[name] = (module, _READERS[name][0](module), place)
    except Exception:
        # A user's own random.py: nothing to remember.
        pass


def report_unseeded():
    """Note those whose state has changed since, though no seed was given."""
    used = {}
    for name, (module, before, where) in sorted(_remembered.items()):
        try:
            if _is_unseeded(name, before, *_READERS[name][0](module)):
                used.setdefault(where, []).append(name)
        except Exception:
            continue
    for where, names in sorted(used.items()):
        note_at("unseeded-generator", where, "used and never seeded: " + ", ".join(names))


def _is_unseeded(name, before, seed, state):
    return seed == before[0] and state != before[1] and not list_seeded().intersection(_READERS[name][1])


def _find_import(frame):
    """Return the place of the user's ``import`` statement, whatever imported what in between."""
    while frame is not None:
        if find_owner(frame) == USER:
            return name_place(frame)
        frame = frame.f_back
    return ""


def _read_random(module):
    return None, module.getstate()


def _read_numpy(module):
    name, words, position, has_gauss, gauss = module.get_state()
    return None, (name, words.tobytes(), position, has_gauss, gauss)


def _read_torch(module):
    return module.initial_seed(), module.get_rng_state().tolist()


def _read_tensorflow(module):
    """Return the seed, and whether TensorFlow is at work; looking must not start it."""
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    return getattr(context, "_seed", None), bool(getattr(context, "_initialized", False))


_READERS = {
    "random": (_read_random, ("random.seed",)),
    "numpy.random": (_read_numpy, ("numpy.random.seed",)),
    "torch": (_read_torch, ()),
    "tensorflow": (_read_tensorflow, ()),
}
"""Module -> how to read (its seed, if it can tell, its state), and the functions that seed it for ``mark_seeded``."""
