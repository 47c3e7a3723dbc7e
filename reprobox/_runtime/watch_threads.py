"""Watch libraries whose number of threads a program sets by a call; PyTorch's and TensorFlow's are switches."""

import os

from .suspects import find_direct_place, note_at
from .watch_calls import watch_builtin, watch_function

_SETTERS = {
    "cv2": "setNumThreads",
    "mkl": "set_num_threads",
    "numba": "set_num_threads",
    "numexpr": "set_num_threads",
}


def watch(module):
    """Note calls of the module's function that sets the number of threads."""
    name = _SETTERS[module.__name__]
    function = "%s.%s" % (module.__name__, name)

    def report(frame, args, kwargs=None):
        _note(frame, function, args[0] if args else None)

    if hasattr(getattr(module, name, None), "__code__"):
        watch_function(module, name, report)
    else:
        watch_builtin(module, name, report)


def watch_limits(threadpoolctl):
    """Note ``threadpool_limits``, with which a program sets the threads of BLAS and OpenMP for a while."""

    def report(frame, args, kwargs):
        _note(frame, "threadpoolctl.threadpool_limits", kwargs.get("limits", args[1] if len(args) > 1 else None))

    watch_function(threadpoolctl.threadpool_limits, "__init__", report)


def _note(frame, function, count):
    # The number that the image sets anyway, and no number, change nothing.
    where = None if count is None or str(count) == os.environ.get("OMP_NUM_THREADS") else find_direct_place(frame)
    if where is not None:
        note_at("thread-count", where, "%s(%s)" % (function, str(count)[:60]))
