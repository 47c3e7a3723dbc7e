"""Notice the ``torch.Generator`` objects that nobody seeds: each of them draws the same numbers.

A new one has the seed 67280421310721, whatever ``torch.manual_seed`` was given:
https://github.com/pytorch/pytorch/blob/v2.13.0/c10/core/GeneratorImpl.h (default_rng_seed_val)
"""

import sys

from .suspects import find_place, note_at
from .wrapping import wrap

_UNSEEDED = 67280421310721
_MOST_OF_A_PLACE = 3
_MOST = 200


def watch_generators(torch, streams):
    """Remember who makes generators, where their class lets that be seen.

    Nothing may stand in the place of the class itself: ``torch.compile`` knows it by identity. Its metaclass is Python
    code in 2.13 (torch/_opaque_base.py); where the class is a plain one, as it long was, nothing is noticed.
    """
    kind = type(torch.Generator)
    if kind is type:
        return
    wrap(kind, "__call__", lambda original: _make_call(torch.Generator, original, streams.kept))
    if _note_unseeded not in streams.at_end:
        streams.at_end.append(_note_unseeded)


def _make_call(generator_class, original, kept):
    def call(cls, *args, **kwargs):
        made = original(cls, *args, **kwargs)
        if cls is generator_class:
            _remember(made, sys._getframe(1), kept)
        return made

    return call


def _remember(generator, frame, kept):
    try:
        place = find_place(frame)
        if place and len(kept) < _MOST:
            known = kept.setdefault(place, [])
            if len(known) < _MOST_OF_A_PLACE:
                known.append(generator)
    except Exception:
        # A generator not noticed is better than none made.
        pass


def _note_unseeded(kept):
    for place, generators in list(kept.items()):
        if any(_was_used_unseeded(generator) for generator in generators):
            note_at("unseeded-generator", place, "torch.Generator() without manual_seed(): all of them draw the same")


def _was_used_unseeded(generator):
    if generator.initial_seed() != _UNSEEDED:
        return False
    if generator.device.type != "cpu":
        # Its state is on the device; reading it at the end of the process is not worth the risk.
        return True
    return not bool((generator.get_state() == type(generator)().get_state()).all())
