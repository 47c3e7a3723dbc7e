"""Fingerprint what a program computes, as it goes, so that two runs can be compared step by step.

Only where ``REPROBOX_TRACE`` is 1. Each process writes ``trace-<pid>-<n>.jsonl`` into the folder for records; a line
is an event of a source: what an optimizer step, a batch or a mark left behind. Nothing in a line but the first depends
on the time, the process id or the machine, so two runs that agree have the same lines.
"""

import _thread
import os
import time

from .jsontext import format_json
from .record import cut_arguments
from .trace_random import read_states
from .trace_values import describe_values, flatten_value

SCHEMA_VERSION = 1
_MOST_NAMES = 10000
_MOST_BYTES = 256 * 2**20
"""Of one process's trace; then it ends."""
_ENTRIES_PER_STRIDE = 20000
_STEPS_PER_STRIDE = 64
"""After as many, every second one, then every fourth…: a function of the count alone, so that runs can be compared."""


def list_watchers(tracer):
    """Return which modules' imports make it time to do what: name -> function of the module."""
    from .trace_keras import KERAS_MODULES, watch_keras
    from .trace_torch import watch_loaders, watch_torch

    watchers = {name: lambda module, name=name: watch_keras(tracer, name, module) for name in KERAS_MODULES}
    watchers["torch"] = lambda module: watch_torch(tracer, module)
    watchers["torch.utils.data.dataloader"] = lambda module: watch_loaders(tracer, module)
    return watchers


class Tracer(object):
    """This process's trace; no public method raises."""

    def __init__(self, seeder, folder):
        self._seeder = seeder
        self._folder = folder
        self._start_process()

    def _start_process(self):
        self._pid = os.getpid()
        self._lock = _thread.RLock()
        self._sources = {}
        self._handle = None
        self._room = _MOST_BYTES
        self._closed = False

    def note_value(self, kind, source, value):
        """Note one more event of a source: an array, or a list, tuple or dict of some."""
        try:
            step = self.count(kind, source)
            if step:
                self.note(kind, source, step, flatten_value(source, value))
        except Exception as error:
            self.warn(source, error)

    def count(self, kind, source):
        """Count one more event of a source; return its number, from 1, or 0 where it is not to be noted."""
        # A forked child has a trace of its own; its parent's lock may have been taken by another thread.
        if self._pid != os.getpid():
            self._start_process()
        with self._lock:
            state = self._sources.setdefault((kind, source), _Source())
            state.count += 1
            return 0 if self._closed or state.count % state.stride else state.count

    def note(self, kind, source, step, values, own_states=None):
        """Write an event: ``values`` are pairs of a name and an array, ``own_states`` those of the source's generators.

        A batch goes without the generators' states: reading them costs as much as all the rest, and the step that
        follows has them.
        """
        states = {} if kind == "batch" else dict(read_states(), **(own_states or {}))
        tensors, failures = describe_values(values)
        for name, error in failures:
            self.warn("%s of %s" % (name, source), error)
        start = {"kind": kind, "source": source, "step": step, "rng": states}
        line = '%s, "tensors": [%s]}\n' % (format_json(start)[:-1], ", ".join(tensors))
        with self._lock:
            self._sources[(kind, source)].pass_on(len(tensors))
            self._write(line.encode("ascii"))

    def warn(self, what, error):
        """Put what could not be traced into the process's record."""
        try:
            text = " ".join(str(error).split())[:200]
            self._seeder.record.warn("not traced: %s: %s: %s" % (what, type(error).__name__, text))
        except Exception:
            pass

    def _write(self, line):
        if self._closed:
            return
        if self._handle is None:
            self._handle = _create_file(self._folder, self._pid)
            os.write(self._handle, format_json(self._describe_process()).encode("ascii") + b"\n")
        if len(line) > self._room:
            line = b'{"kind": "full"}\n'
            self._closed = True
        # Not buffered: a process that is killed, or leaves by os._exit, has its trace up to there.
        self._room -= len(line)
        while line:
            line = line[os.write(self._handle, line) :]

    def _describe_process(self):
        seeder = self._seeder
        return {
            "kind": "process",
            "schema_version": SCHEMA_VERSION,
            "stage": os.environ.get("REPROBOX_STAGE", ""),
            "role": seeder.role,
            "identity": list(seeder.path),
            "rank": seeder.rank,
            "argv": cut_arguments(seeder.record.data.get("argv") or []),
            "pid": self._pid,
            "started": round(time.time(), 3),
        }


class _Source(object):
    """How many events a source had, and which of them are noted."""

    def __init__(self):
        self.count = 0
        self.stride = 1
        self._steps = 0
        self._entries = 0

    def pass_on(self, entries):
        """Count an event that was noted; note half as many from now on when there were enough."""
        self._steps += 1
        self._entries += entries
        if self._steps >= _STEPS_PER_STRIDE and self._entries >= _ENTRIES_PER_STRIDE:
            self.stride *= 2
            self._steps = self._entries = 0


def _create_file(folder, pid):
    for number in range(_MOST_NAMES):
        path = os.path.join(folder, "trace-%d-%d.jsonl" % (pid, number))
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except FileExistsError:
            continue
    raise OSError("no free name for a trace in %s" % folder)
