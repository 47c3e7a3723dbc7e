"""How much work a stranger's files may make for the judge's own machine, outside of any sandbox."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Overspent(BaseException):
    """Ends work that has taken more than it may; no ``Exception``, which that work might take for one of its own."""


class Allowance:
    """Seconds of this process's processor time for all the blocks together that spend it.

    Python's own signal ends them, so they run in the main thread.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._left = seconds
        self._spending = False

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Raise ``Overspent`` in the block when nothing is left."""
        began = time.process_time()
        before = signal.signal(signal.SIGPROF, self._end)
        try:
            self._spending = True
            signal.setitimer(signal.ITIMER_PROF, max(self._left, 0.001), 1)
            try:
                yield
            finally:
                self._spending = False
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
            self._left -= time.process_time() - began

    def _end(self, *_: object) -> None:
        if self._spending:
            raise Overspent
