"""What ``reprobox.pth`` calls in every interpreter: watch for backends, seed them when they come."""

import atexit
import os
import sys

from .contract import read_contract
from .identity import decide_role, read_command_line
from .watch import is_wanted, start_watching

_started = []
seeder = None
"""Of this process, where it is watched."""
tracer = None
"""Of this process, where the run is traced."""


def run():
    """Install the hook once; never raise, whatever is wrong."""
    if _started:
        return
    _started.append(True)
    try:
        _install()
    except Exception as error:
        # A broken runtime must be seen: without it the run is not seeded.
        sys.stderr.write("reprobox: this process is not seeded: %s\n" % error)


def _install():
    contract = read_contract()
    if contract["level"] == "off" and not contract["switches"] and not _is_traced() and not is_wanted(contract):
        return
    command_line = read_command_line()
    role = decide_role(command_line, os.getpid(), os.environ)
    if role in ("entrypoint", "helper"):
        return
    _watch(contract, role, command_line)


def _is_traced():
    return os.environ.get("REPROBOX_TRACE") == "1" and bool(os.environ.get("REPROBOX_RECORD_DIR"))


def _watch(contract, role, command_line):
    global seeder
    from .backends import BACKENDS
    from .children import Children
    from .hook import Finder
    from .seeder import Seeder

    seeder = Seeder(contract, role, command_line, os.environ.get("REPROBOX_RECORD_DIR"))
    children = Children(seeder)
    backends = {trigger: name for name, triggers in BACKENDS.items() for trigger in triggers}
    others = {
        "multiprocessing.util": children.watch_workers,
        "multiprocessing.context": children.watch_spawned,
        "subprocess": children.watch_programs,
    }
    traced = _start_tracing() if _is_traced() else {}
    suspected = start_watching(contract) if is_wanted(contract) else {}

    def on_import(module_name, module):
        try:
            if module_name in others:
                others[module_name](module)
                return
            if module_name in backends:
                seeder.meet_backend(backends[module_name], module)
            if module_name in traced:
                traced[module_name](module)
            if module_name in suspected:
                suspected[module_name](module)
            if module_name == "random":
                children.watch_random()
        except Exception as error:
            seeder.record.warn("%s: %s" % (module_name, error))

    children.watch_forks()
    atexit.register(seeder.finish)
    seeder.meet_backend("hashing", None, "start")
    watched = list(dict.fromkeys(list(backends) + list(others) + list(traced) + list(suspected)))
    sys.meta_path.insert(0, Finder(watched, on_import))
    # Another .pth file may have been quicker.
    for module_name in watched:
        if module_name in sys.modules:
            on_import(module_name, sys.modules[module_name])


def _start_tracing():
    """Make the tracer; return which modules' imports it waits for, and what to call then."""
    global tracer
    from .trace import Tracer, list_watchers

    tracer = Tracer(seeder, os.environ["REPROBOX_RECORD_DIR"])
    return list_watchers(tracer)
