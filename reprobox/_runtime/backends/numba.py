"""Numba: the two generators behind ``np.random`` and ``random`` in compiled code, which no call outside it reaches.

https://numba.readthedocs.io/en/stable/reference/numpysupported.html#random
"""

import sys

from ..switches import environment_switch
from ..wrapping import wrap

NOTE = "for compiled code in the main thread; each threading.Thread gets its own; those behind prange stay random"


def find_version(module):
    """Return Numba's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Do what ``np.random.seed`` and ``random.seed`` do inside a compiled function, without compiling one.

    https://github.com/numba/numba/blob/0.61.0/numba/_random.c (_numba_rnd_seed); Numba's own tests call it so.
    """
    native = sys.modules.get("numba._helperlib")
    if native is None:
        return None
    _seed_thread(native, seed)
    return seed


def list_switches(module, switches):
    """Return the check of the variable that fixes how many threads there are."""
    if "threads" not in switches:
        return []
    return [environment_switch("NUMBA_NUM_THREADS", str(switches["threads"]))]


def watch(module, streams):
    """Seed both generators of every thread that the program starts, which would take entropy."""
    threads, native = sys.modules.get("threading"), sys.modules.get("numba._helperlib")
    if threads is not None and native is not None:
        wrap(threads.Thread, "start", lambda original: _make_start(original, streams))
        wrap(threads.Thread, "_bootstrap_inner", lambda original: _make_bootstrap(original, native))


def _make_start(original, streams):
    def start(self):
        # Here, since threads are started in an order, and run in none.
        if streams.active:
            self.reprobox_seed = streams.draw("numba", 32)
        return original(self)

    return start


def _make_bootstrap(original, native):
    def bootstrap(self):
        seed = getattr(self, "reprobox_seed", None)
        if seed is not None:
            _seed_thread(native, seed)
        return original(self)

    return bootstrap


def _seed_thread(native, seed):
    """Seed what compiled code in this thread draws from."""
    for find_state in (native.rnd_get_np_state_ptr, native.rnd_get_py_state_ptr):
        native.rnd_seed(find_state(), seed)
