"""Seed this process: each backend when it is imported, all of them again in a child."""

import os
import sys
import time

from . import gpu
from .backends import BACKENDS, load_backend
from .identity import derive_seed
from .libraries import describe_libraries
from .memory import read_peak_memory
from .place import read_place
from .record import Record, cut_arguments
from .streams import Streams
from .suspects import note_at, start_notes
from .switches import UNCHANGED, apply_switch, describe_flip, find_flip, watch_switch
from .watch import finish_watching


class Seeder(object):
    """What this process is to be set to, and what has been set; no public method raises."""

    def __init__(self, contract, role, command_line, record_folder):
        self.run_seed = contract["seed"]
        self.seeding = contract["level"] != "off"
        self._wanted = contract["switches"]
        self._loaded = {}
        self._set = []
        # Multiprocessing tells its workers themselves who they are.
        self._inherited, self.rank = read_place(os.environ, os.getpid())
        self.path = () if role in ("spawn", "forkserver") else self._inherited
        self.role = role
        self.streams = Streams(self, self._wanted)
        facts = {
            "argv": cut_arguments(command_line),
            "python": {"version": sys.version.split()[0], "executable": sys.executable},
            "stage": os.environ.get("REPROBOX_STAGE", ""),
        }
        self.record = Record(record_folder, dict(facts, **self._describe_process()))
        start_notes(self.record)

    @property
    def seed(self):
        """The seed of this process."""
        return derive_seed(self.run_seed, self.path)

    def meet_backend(self, name, module, event="import"):
        """Seed a backend that has just been imported, set its switches, and put down what came of it."""
        try:
            backend = load_backend(name)
            self._seed_backend(name, backend, module, event)
            version = backend.find_version(module)
            for switch in backend.list_switches(module, self._wanted):
                self._apply(name, version, switch)
            if hasattr(backend, "watch"):
                backend.watch(module, self.streams)
            self._loaded[name] = (backend, module)
        except Exception as error:
            self._warn_of(name, error)
        self.record.write()

    def become_child(self, event, path, role, **facts):
        """Go on as the child at ``path``: other seeds, a record of its own."""
        try:
            self.path = path
            self.role = role
            self.streams.restart()
            self.record = self.record.copy_for_fork(dict(self._describe_process(), **facts))
            start_notes(self.record)
            for name in BACKENDS:
                self.reseed(name, event)
        except Exception as error:
            self._warn_of(event, error)
        self.record.write()

    def take_identity(self, path, role, **facts):
        """Become the worker that multiprocessing says this process is; its record goes on."""
        try:
            self.path = path
            self.role = role
            self.streams.restart()
            self.record.data.update(self._describe_process(), **facts)
            for name in BACKENDS:
                self.reseed(name, "worker")
        except Exception as error:
            self._warn_of("worker", error)
        self.record.write()

    def reseed(self, name, event):
        """Seed a backend again with this process's seed, if it is loaded."""
        if name not in self._loaded:
            return
        backend, module = self._loaded[name]
        try:
            self._seed_backend(name, backend, module, event)
        except Exception as error:
            self._warn_of(name, error)

    def find_stream_path(self):
        """Return the place that generators without a seed of their own are counted in.

        It is another one than the run's own also where the seed is the run's: in ranks of a distributed job, and while
        a worker that multiprocessing has started anew imports the program's modules and has not said yet who it is.
        """
        if self.path or self.role not in ("spawn", "forkserver"):
            return self.path or (("rank:" + self.rank,) if self.rank else ())
        process = getattr(sys.modules.get("multiprocessing.process"), "current_process", None)
        return self._inherited + ("%s:%s" % (self.role, process().name if process else ""),)

    def finish(self):
        """Put down what only the end shows: memory, suspects, and switches that the program has changed."""
        finish_watching()
        try:
            data = self.record.data
            self.streams.finish()
            data.update(read_peak_memory(), finished=True, overrides=self._find_overrides())
            if gpu.is_wanted():
                data["gpu"] = gpu.describe_gpu()
            for name, (backend, module) in list(self._loaded.items()):
                if name in data["backends"]:
                    data["backends"][name]["version"] = backend.find_version(module)
            data["libraries"] = describe_libraries()
        except Exception as error:
            self._warn_of("exit", error)
        self.record.write()

    def _seed_backend(self, name, backend, module, event):
        seed = backend.seed(module, self.seed, event) if self.seeding else None
        note = getattr(backend, "NOTE", "") if self.seeding else ""
        if seed is not None or note:
            entry = {"seed": seed, "version": backend.find_version(module), "when": event}
            self.record.update("backends", name, dict(entry, detail=note) if note else entry)

    def _apply(self, backend, version, switch):
        entry = apply_switch(switch, version)
        self.record.update("switches", switch.name, entry)
        if entry["status"] == "failed":
            self.record.warn("%s: %s not set: %s" % (backend, switch.name, entry["detail"] or entry["value"]))
        elif entry["status"] == "set":
            self._set.append((switch, entry["value"]))
            watch_switch(switch, entry["value"])

    def _find_overrides(self):
        """List the switches that are no longer as they were set; those that nobody saw change are suspects now."""
        overrides = []
        for switch, value in self._set:
            found = find_flip(switch, value)
            if found is UNCHANGED:
                continue
            overrides.append({"switch": switch.name, "set": value, "found": found})
            self.record.data["switches"][switch.name].update(status="overridden", found=found)
            if not switch.seen_flipped:
                note_at("switch-flipped", "", describe_flip(switch, found, value))
        return overrides

    def _describe_process(self):
        return {
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "role": self.role,
            "identity": list(self.path),
            "rank": self.rank,
            "seed": self.seed if self.seeding else None,
            "started": round(time.time(), 3),
        }

    def _warn_of(self, what, error):
        self.record.warn("%s: %s: %s" % (what, type(error).__name__, " ".join(str(error).split())[:300]))
