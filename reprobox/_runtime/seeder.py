"""Seed this process: each backend when it is imported, all of them again in a child."""

import os
import sys
import time

from .backends import BACKENDS, load_backend
from .identity import derive_seed
from .memory import read_peak_memory
from .record import Record, cut_arguments
from .switches import apply_switch, read_switch


class Seeder(object):
    """What this process is to be set to, and what has been set; no public method raises."""

    def __init__(self, contract, role, command_line, record_folder):
        self._run_seed = contract["seed"]
        self._seeding = contract["level"] != "off"
        self._wanted = contract["switches"]
        self._loaded = {}
        self._set = []
        self.path = ()
        self.role = role
        facts = {
            "argv": cut_arguments(command_line),
            "python": {"version": sys.version.split()[0], "executable": sys.executable},
            "stage": os.environ.get("REPROBOX_STAGE", ""),
        }
        self.record = Record(record_folder, dict(facts, **self._describe_process()))

    @property
    def seed(self):
        """The seed of this process."""
        return derive_seed(self._run_seed, self.path)

    def meet_backend(self, name, module, event="import"):
        """Seed a backend that has just been imported, set its switches, and put down what came of it."""
        try:
            backend = load_backend(name)
            self._seed_backend(name, backend, module, event)
            for switch in backend.list_switches(module, self._wanted):
                self._apply(name, switch)
            self._loaded[name] = (backend, module)
        except Exception as error:
            self._warn_of(name, error)
        self.record.write()

    def become_child(self, event, path, role, **facts):
        """Go on as the child at ``path``: other seeds, a record of its own."""
        try:
            self.path = path
            self.role = role
            self.record = self.record.copy_for_fork(dict(self._describe_process(), **facts))
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

    def finish(self):
        """Put down what only the end shows: memory, and switches that the program has changed."""
        try:
            data = self.record.data
            data.update(read_peak_memory(), finished=True, overrides=self._find_overrides())
            for name, (backend, module) in list(self._loaded.items()):
                if name in data["backends"]:
                    data["backends"][name]["version"] = backend.find_version(module)
        except Exception as error:
            self._warn_of("exit", error)
        self.record.write()

    def _seed_backend(self, name, backend, module, event):
        seed = backend.seed(module, self.seed, event) if self._seeding else None
        if seed is not None:
            entry = {"seed": seed, "version": backend.find_version(module), "when": event}
            self.record.update("backends", name, entry)

    def _apply(self, backend, switch):
        entry = apply_switch(switch)
        self.record.update("switches", switch.name, entry)
        if entry["status"] == "failed":
            self.record.warn("%s: %s not set: %s" % (backend, switch.name, entry["detail"] or entry["value"]))
        else:
            self._set.append((switch, entry["value"]))

    def _find_overrides(self):
        now = [(switch.name, value, read_switch(switch)) for switch, value in self._set]
        return [
            {"switch": name, "set": value, "found": found}
            for name, value, found in now
            if found is not None and found != value
        ]

    def _describe_process(self):
        return {
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "role": self.role,
            "identity": list(self.path),
            "seed": self.seed if self._seeding else None,
            "started": round(time.time(), 3),
        }

    def _warn_of(self, what, error):
        self.record.warn("%s: %s: %s" % (what, type(error).__name__, " ".join(str(error).split())[:300]))
