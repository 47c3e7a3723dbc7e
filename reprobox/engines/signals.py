"""Signals that come at a bad moment wait for a better one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What ends this process, once its container has ended."""
PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2)
"""What is meant for the program in the container, if for anybody."""
SENT_FOR = {signal.SIGQUIT: signal.SIGTERM}
"""What the program gets instead: SIGQUIT would make it dump its memory, or only list its threads."""


def list_heard(numbers: tuple[signal.Signals, ...] = STOPPING) -> list[signal.Signals]:
    """Return those of ``numbers`` that are not ignored; what is ignored stays so: nohup ignores SIGHUP."""
    return [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]


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
