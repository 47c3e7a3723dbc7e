"""Repeatable entropy for generators that the program does not seed, and notes of those that it seeds itself."""

import itertools
import sys

from .identity import derive_bits
from .suspects import STANDARD, find_owner, find_place, mark_seeded, note, note_at, note_seed

_OWN_SEEDING = ("torch.", "reprobox_runtime.")
"""Packages that seed as their documentation says they do: PyTorch's DataLoader in its workers, and this one."""
_PASSING_ON = ("torch._compile", "torch._dynamo.eval_frame")
"""Modules that PyTorch's compiler puts between the program and ``torch.manual_seed``, once it is loaded."""


class Streams(object):
    """What a backend's ``watch`` is given; each generator gets another stream, the same one in every run."""

    def __init__(self, seeder, switches):
        self._seeder = seeder
        self._counts = {}
        self._pending = None
        self.switches = switches
        self.at_end = []
        # Place in the program → the first generators made there, where only the end shows which were seeded.
        self.kept = {}

    @property
    def active(self):
        """Whether generators are to be seeded: at every level but ``off``."""
        return self._seeder.seeding

    @property
    def seed(self):
        """The seed of this process."""
        return self._seeder.seed

    def restart(self):
        """Count from the beginning: this process has become another one, with streams of its own."""
        self._counts = {}
        self._pending = None
        self.kept.clear()

    def draw(self, source, bits):
        """Return ``bits`` bits that no other call gets; ``source`` names who asks, each has its own count."""
        count = next(self._counts.setdefault(source, itertools.count(1)))
        step = "%s:%d" % (source, count)
        return derive_bits(self._seeder.run_seed, self._seeder.find_stream_path() + (step,), bits)

    def note_unseeded(self, what):
        """Note that the program has made a generator without a seed."""
        note("unseeded-generator", what)

    def note_unless_restored(self, generator, what):
        """Note it too, unless the generator is given a state at once: so does the unpickler, which has no frame."""
        self.flush()
        self._pending = (id(generator), what, find_place(sys._getframe(1)))

    def restore(self, generator):
        """The generator has been given a state."""
        if self._pending is not None and self._pending[0] == id(generator):
            self._pending = None

    def finish(self):
        """Note what is still waiting, and have the backends do so: the process ends."""
        self.flush()
        for function in self.at_end:
            function(self.kept)

    def flush(self):
        """Note the generator that was waiting for a state."""
        pending, self._pending = self._pending, None
        if pending is not None and pending[2] is not None:
            note_at("unseeded-generator", pending[2], pending[1])

    def note_reseed(self, function, value, given=False):
        """Note that the program seeds a generator otherwise than it had been; call it from the wrapper itself.

        ``given``: without a seed it gets a stream, which ``draw`` returns.
        """
        frame = sys._getframe(2)
        while frame is not None and (frame.f_globals.get("__name__") or "").startswith(_PASSING_ON):
            frame = frame.f_back
        if frame is None or (frame.f_globals.get("__name__") or "").startswith(_OWN_SEEDING):
            return
        if not isinstance(value, (bool, int, float, str, bytes)) and hasattr(value, "__index__"):
            try:
                value = value.__index__()
            except Exception:
                # An array of several numbers.
                pass
        if type(value) is int and value == self._seeder.seed:
            mark_seeded(function)
            return
        note_seed(function, value, given)


def find_caller(frame, path):
    """Return the first frame from ``frame`` on that is not of the file ``path``."""
    while frame is not None and frame.f_code.co_filename == path:
        frame = frame.f_back
    return frame


def is_internal(frame, but=()):
    """Whether a frame is the standard library's own work, files with a name in ``but`` excepted."""
    return frame is not None and find_owner(frame) == STANDARD and not frame.f_code.co_filename.endswith(but)
