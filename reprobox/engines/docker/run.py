"""Run one container to its end: output as it comes, limits, signals, and how it ended."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import docker

from reprobox.engines.base import GRACE, ContainerResult, ContainerSpec, EngineInfo
from reprobox.engines.docker.attach import attach_streams, read_frames
from reprobox.engines.docker.config import run_config
from reprobox.engines.docker.containers import Containers
from reprobox.engines.docker.memory import MemoryWatch
from reprobox.engines.docker.signals import PASSED_ON, SENT_FOR, list_heard
from reprobox.errors import EngineError, Interrupted


def run_container(
    client: docker.APIClient,
    containers: Containers,
    spec: ContainerSpec,
    on_output: Callable[[str, bytes], None],
    info: EngineInfo,
) -> ContainerResult:
    """Run ``spec`` to its end; the container is gone when this returns or raises."""
    if spec.mounts and not info.local:
        raise EngineError(
            "the container engine runs on another machine and cannot see this one's folders",
            hint="unset DOCKER_HOST (or `docker context use default`) to use the engine here",
        )
    with containers.create(run_config(spec, info)) as container:
        ending = _Ending(containers, container)
        with (
            attach_streams(client, container) as output,
            _caught_signals(ending),
            MemoryWatch(client, container) as memory,
        ):
            began = time.monotonic()
            containers.start(container)
            with ending.possible(), _time_limit(ending, spec.timeout):
                if info.holds_limits:  # else there is no account of the container's own
                    memory.start()
                for stream, data in read_frames(output):
                    on_output(stream, data)
                state = containers.wait(container)
                seconds = time.monotonic() - began
        ending.join()
        if ending.signal is not None:
            raise Interrupted(f"stopped by {ending.signal.name}")
    return ContainerResult(
        exit_code=int(state["ExitCode"]),
        seconds=seconds,
        out_of_memory=bool(state.get("OOMKilled")),
        timed_out=ending.timed_out,
        peak_memory=memory.peak,
    )


class _Ending:
    """Passes signals to one container and ends it from outside: gently at first, hard when asked again.

    What comes before the container has started waits for it, since the engine would refuse it. The engine's calls are
    made beside the main thread, which goes on reading the container's last output.
    """

    def __init__(self, containers: Containers, container: str) -> None:
        self._containers = containers
        self._container = container
        self._threads: list[threading.Thread] = []
        self._started = threading.Event()
        self._ended = threading.Event()
        self.signal: signal.Signals | None = None
        self.timed_out = False

    @contextmanager
    def possible(self) -> Iterator[None]:
        """Mark the time between the container's start and its end."""
        self._started.set()
        try:
            yield
        finally:
            self._ended.set()

    def by_signal(self, number: int, _frame: FrameType | None) -> None:
        again = self.signal is not None
        self.signal = signal.Signals(number)
        if again:
            self._begin(self._kill)
        else:
            self._begin(self._stop, SENT_FOR.get(self.signal, self.signal))

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._begin(self._send, signal.Signals(number))

    def by_time(self) -> None:
        self.timed_out = True
        self._stop(signal.SIGTERM)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _begin(self, target: Callable[..., None], *args: signal.Signals) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _send(self, number: signal.Signals) -> None:
        self._started.wait()
        self._containers.send_signal(self._container, number)

    def _stop(self, number: signal.Signals) -> None:
        self._send(number)
        if not self._ended.wait(GRACE):
            self._kill()

    def _kill(self) -> None:
        self._send(signal.SIGKILL)


@contextmanager
def _caught_signals(ending: _Ending) -> Iterator[None]:
    """Let signals end the container or reach its program; Python hears them in the main thread only."""
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
def _time_limit(ending: _Ending, seconds: float | None) -> Iterator[None]:
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
