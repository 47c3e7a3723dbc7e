"""How a run is ended from outside: by signals that this process gets, and by its time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from reprobox.engines.base import GRACE
from reprobox.engines.signals import PASSED_ON, SENT_FOR, list_heard


class Ending:
    """Passes signals to one run and ends it from outside: gently at first, hard when asked again.

    What comes before it has started waits for it, since an engine would refuse it. ``send`` is called beside the main
    thread, which goes on reading the run's last output; a run that has ended is fine with it.
    """

    def __init__(self, send: Callable[[signal.Signals], None]) -> None:
        self._send_now = send
        self._threads: list[threading.Thread] = []
        self._started = threading.Event()
        self._ended = threading.Event()
        self.signal: signal.Signals | None = None
        self.timed_out = False
        self.out_of_memory = False
        self.stopped_for = ""

    @contextmanager
    def possible(self) -> Iterator[None]:
        """Mark the time between its start and its end."""
        self._started.set()
        try:
            yield
        finally:
            self._ended.set()

    def by_signal(self, number: int, _frame: FrameType | None) -> None:
        """End it for a signal; hard for a second one."""
        again = self.signal is not None
        self.signal = signal.Signals(number)
        if again:
            self._begin(self._kill)
        else:
            self._begin(self._stop, SENT_FOR.get(self.signal, self.signal))

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal to its program."""
        self._begin(self._send, signal.Signals(number))

    def by_time(self) -> None:
        """End it because its time is over."""
        self.timed_out = True
        self._stop(signal.SIGTERM)

    def by_memory(self) -> None:
        """End it hard, because it holds more memory than it may."""
        self.out_of_memory = True
        self._kill()

    def by_force(self, reason: str) -> None:
        """End it hard, because of what it does."""
        self.stopped_for = reason
        self._kill()

    def join(self) -> None:
        """Wait for what was sent."""
        for thread in self._threads:
            thread.join()

    def _begin(self, target: Callable[..., None], *args: signal.Signals) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _send(self, number: signal.Signals) -> None:
        self._started.wait()
        self._send_now(number)

    def _stop(self, number: signal.Signals) -> None:
        self._send(number)
        if not self._ended.wait(GRACE):
            self._kill()

    def _kill(self) -> None:
        self._send(signal.SIGKILL)


@contextmanager
def caught_signals(ending: Ending) -> Iterator[None]:
    """Let signals end the run or reach its program; Python hears them in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, ending.by_signal) for number in list_heard()}
    before |= {number: signal.signal(number, ending.pass_on) for number in list_heard(PASSED_ON)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def time_limit(ending: Ending, seconds: float | None) -> Iterator[None]:
    """End the run when its time is over; ``None``: it has all the time it wants."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, ending.by_time)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def watched(look: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have ``look`` run beside, in a thread, until the event that it is given is set at the end, which waits for it."""
    done = threading.Event()
    watcher = threading.Thread(target=look, args=(done,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
