"""Watch what hands out results in the order in which they get done."""

from .suspects import find_direct_place, note_at
from .watch_calls import watch_function

_KIND = "completion-order"
_MOST_THREADS = 100


def watch_futures(base):
    """Watch ``concurrent.futures._base``: ``as_completed`` and ``wait`` for the first."""
    watch_function(base, "as_completed", _reporter("concurrent.futures.as_completed"))
    watch_function(base, "wait", _report_wait)


def watch_asyncio(tasks):
    """Watch ``asyncio.tasks``: ``as_completed``."""
    watch_function(tasks, "as_completed", _reporter("asyncio.as_completed"))


def watch_pool(pool):
    """Watch ``multiprocessing.pool``: ``imap_unordered``, and callbacks, which come as the results do."""
    watch_function(pool.Pool, "imap_unordered", _reporter("Pool.imap_unordered"))
    watch_function(pool.Pool, "apply_async", _report_callback)


def watch_threads(threading):
    """Watch ``threading``: a thread started while another one, both by the user's code, has not been waited for.

    Not while another one runs: whether the first is done by then is itself a race.
    """
    waiting = {}

    def report_start(frame, args, kwargs):
        where = find_direct_place(frame)
        if where is not None and len(waiting) < _MOST_THREADS:
            _note_together(where, [place for _, place in waiting.values()], "threads")
            # The thread too, so that no other one gets its id.
            waiting[id(args[0])] = (args[0], where)

    def report_join(frame, args, kwargs):
        if len(args) == 1 and not kwargs:
            waiting.pop(id(args[0]), None)

    watch_function(threading.Thread, "start", report_start)
    watch_function(threading.Thread, "join", report_join)


def watch_processes(process):
    """Watch ``multiprocessing.process``: two processes at once, both started by the user's code."""

    def report_start(frame, args, kwargs):
        where = find_direct_place(frame)
        if where is None:
            return
        others = [one for one in list(process._children) if hasattr(one, "_reprobox_place") and one.is_alive()]
        _note_together(where, [one._reprobox_place for one in others], "processes")
        args[0]._reprobox_place = where

    watch_function(process.BaseProcess, "start", report_start)


def _reporter(name):
    def report(frame, args, kwargs):
        _note(frame, name)

    return report


def _report_wait(frame, args, kwargs):
    condition = kwargs.get("return_when", args[2] if len(args) > 2 else None)
    if condition in ("FIRST_COMPLETED", "FIRST_EXCEPTION"):
        _note(frame, "concurrent.futures.wait, %s" % condition)


def _report_callback(frame, args, kwargs):
    if kwargs.get("callback") or len(args) > 4:
        _note(frame, "Pool.apply_async with a callback")


def _note_together(where, others, what):
    """Note those that are started at once: one alone has nobody to race with but who waits for it."""
    for place in sorted({where}.union(others)) if others else ():
        note_at(_KIND, place, "possible: %s started here run at the same time" % what)


def _note(frame, detail):
    where = find_direct_place(frame)
    if where is not None:
        note_at(_KIND, where, detail)
