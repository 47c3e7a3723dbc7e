"""Watch the functions of ``os`` that give every run something else: entropy, folders' order, the environment."""

import _thread
import os
import sys

from .suspects import RUNTIME, count_again, find_owner, find_place, note_at, note_call
from .watch_calls import watch_builtin

_ENTROPY = ("random", "secrets", "uuid")
_LISTINGS = ("os", "glob", "pathlib", "pathlib._local", "pathlib._abc", "pathlib._os", "fnmatch")
_WRITERS = {"matplotlib.backends.backend_svg": "ids in an SVG file: set matplotlib's svg.hashsalt"}
"""Modules of packages -> what becomes of the uuid4 that they draw.

https://matplotlib.org/stable/users/explain/customizing.html (svg.hashsalt)
"""
_NUMBA_STATE = 4 * 624
"""Bytes that Numba's compiled code asks for in a thread that draws for the first time.

https://github.com/numba/numba/blob/0.61.0/numba/_random.c (rnd_implicit_init)
"""
_THREADS = "_NUM_THREADS"
_SEEDS = ("CHAINER_SEED", "CUPY_SEED", "PL_GLOBAL_SEED")
"""Seeds of backends; the first two are set when theirs is imported."""
_main_thread = _thread.get_ident()
_WORKSPACES = (":4096:8", ":16:8", ":4096:2")
"""Values of CUBLAS_WORKSPACE_CONFIG that make cuBLAS repeat itself.

https://docs.nvidia.com/cuda/cublas/#results-reproducibility
"""


def watch_entropy():
    """Note what the user's code draws from the system: itself, or through ``secrets``, ``SystemRandom``, ``uuid4``.

    Others than ``random``, ``secrets`` and ``uuid`` draw for themselves: keys, names of temporary files.
    """
    watched = watch_builtin(os, "urandom", _report_entropy)
    watch_builtin(os, "getrandom", _report_entropy)
    random = sys.modules.get("random")
    if hasattr(random, "_urandom"):
        # Imported before us, it has kept the real one; secrets and SystemRandom go through it.
        random._urandom = watched


def _report_entropy(frame, args):
    if frame is None:
        _report_compiled(args)
    elif not count_again("os-entropy", frame):
        source = frame.f_globals.get("__name__")
        note_call("os-entropy", frame, _ENTROPY, "through %s" % source if source in _ENTROPY else "os.urandom")
        if source == "uuid":
            _report_writers(frame)


def _report_writers(frame):
    """Note packages that write what they drew into a file of the user's."""
    caller = frame.f_back
    name = caller.f_globals.get("__name__") if caller is not None else None
    where = find_place(caller) if name in _WRITERS else None
    if where:
        note_at("os-entropy", where, _WRITERS[name])


def _report_compiled(args):
    """Note the threads behind Numba's ``prange``, which run no Python: their line is the one that the program is at."""
    if args == (_NUMBA_STATE,) and "numba" in sys.modules:
        where = find_place(sys._current_frames().get(_main_thread))
        if where is not None:
            note_at("unseeded-generator", where, "a thread of Numba's takes its seed from the operating system")


def watch_listings():
    """Note folders that the user's code lists: their order is the file system's. It may sort them: the host looks."""
    for name in ("listdir", "scandir"):
        function = getattr(os, name)
        watched = watch_builtin(os, name, _report_listing)
        if function in os.supports_fd:
            os.supports_fd.add(watched)


def _report_listing(frame, args):
    if frame is not None and not count_again("listing-order", frame):
        note_call("listing-order", frame, _LISTINGS, str(args[0])[-100:] if args else ".")


def watch_environment(names):
    """Note changes of the environment variables ``names``, and of those that set a number of threads or a seed."""

    def report(frame, args):
        name = _decode(args[0])
        if name in names or name.endswith(_THREADS) or name in _SEEDS:
            _report_variable(frame, name, os.environ.get(name), _decode(args[1]) if len(args) > 1 else None)

    for name in ("putenv", "unsetenv"):
        watched = watch_builtin(os, name, report)
        if watched is not None and hasattr(os.environ, name):
            # Before Python 3.9 os.environ keeps them for itself.
            setattr(os.environ, name, watched)


def _report_variable(frame, name, before, after):
    if before is None or before == after:
        return
    if name == "PYTHONHASHSEED" and after not in (None, "", "random"):
        # Too late for this process, and another fixed seed for the next.
        return
    if name == "CUBLAS_WORKSPACE_CONFIG" and after in _WORKSPACES:
        return
    where = find_place(frame)
    if where and find_owner(frame.f_back or frame) != RUNTIME:
        kind = "thread-count" if name.endswith(_THREADS) else "reseeded" if name in _SEEDS else "switch-flipped"
        note_at(kind, where, "%s: %s, was %s" % (name, "deleted" if after is None else repr(after), repr(before)))


def _decode(text):
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
