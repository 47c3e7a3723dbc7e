"""Everything that is watched for suspects: what from the start, what when a module is imported, what at the end."""

import os
import sys

from .suspects import note_at

WATCHED = {
    "asyncio.tasks": ("watch_order", "watch_asyncio"),
    "concurrent.futures._base": ("watch_order", "watch_futures"),
    "cv2": ("watch_threads", "watch"),
    "mkl": ("watch_threads", "watch"),
    "multiprocessing.pool": ("watch_order", "watch_pool"),
    "multiprocessing.process": ("watch_order", "watch_processes"),
    "numba": ("watch_threads", "watch"),
    "numexpr": ("watch_threads", "watch"),
    "socket": ("watch_network", "watch"),
    "threading": ("watch_order", "watch_threads"),
    "threadpoolctl": ("watch_threads", "watch_limits"),
    "warnings": ("watch_kernels", "watch"),
}
"""Module -> the file here that watches it, and the function there that is given the module."""
GLOBAL_GENERATORS = ("random", "numpy.random", "torch", "tensorflow")
"""Modules with a generator of their own that nobody seeds at level ``off``."""
_finished = []
"""The processes that have come to their end: this one, and parents that forked on their way out."""


def is_wanted(contract):
    """Whether this run is watched: from level ``seeded`` up, and where REPROBOX_WATCH=1 asks for it."""
    return contract["level"] != "off" or os.environ.get("REPROBOX_WATCH") == "1"


def start_watching(contract):
    """Watch what is there from the start; return module -> what to call with it when it has been imported."""
    from .watch_os import watch_entropy, watch_environment, watch_listings

    watch_entropy()
    watch_listings()
    watch_environment(contract["env"])
    _note_hashing()
    watchers = {name: _load_later(*place) for name, place in WATCHED.items()}
    if contract["level"] == "off":
        watchers.update((name, _load_later("watch_generators", "remember")) for name in GLOBAL_GENERATORS)
    return watchers


def finish_watching():
    """Note what only the end of a process shows, once; never raise."""
    if os.getpid() in _finished:
        return
    _finished.append(os.getpid())
    for name, function in (("watch_kernels", "report_last_error"), ("watch_generators", "report_unseeded")):
        try:
            module = sys.modules.get(__package__ + "." + name)
            if module is not None or (name == "watch_kernels" and hasattr(sys, "last_value")):
                getattr(_load(name), function)()
        except Exception:
            continue


def _load_later(name, function):
    def watch(module):
        getattr(_load(name), function)(module)

    return watch


def _load(name):
    full = __package__ + "." + name
    __import__(full)
    return sys.modules[full]


def _note_hashing():
    from .backends.hashing import seed

    if seed(None, 0, "start") is None:
        note_at("hash-order", "", "str and bytes have other hashes in every process: PYTHONHASHSEED does not fix them")
