"""Signals that come at a bad moment wait for a better one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def list_heard() -> list[signal.Signals]:
    """Return the signals that end this process; what is ignored stays so: nohup ignores SIGHUP."""
    return [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]


@contextmanager
def held_signals() -> Iterator[None]:
    """Deliver signals at the end of the block; they reach Python's handlers in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda one, frame: came.append(one)) for number in list_heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)
