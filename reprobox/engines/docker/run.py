"""Run one container to its end: output as it comes, limits, signals, and how it ended."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import docker

from reprobox.engines.base import ContainerResult, ContainerSpec, EngineInfo
from reprobox.engines.docker.attach import attach_streams, read_frames
from reprobox.engines.docker.config import run_config
from reprobox.engines.docker.containers import Containers
from reprobox.engines.docker.memory import MemoryWatch
from reprobox.engines.docker.signals import list_heard
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
    with containers.create(run_config(spec, init=info.init)) as container:
        ending = _Ending(containers, container)
        with (
            attach_streams(client, container) as output,
            _caught_signals(ending),
            _time_limit(ending, spec.timeout),
            MemoryWatch(client, container) as memory,
        ):
            began = time.monotonic()
            containers.start(container)
            ending.repeat()
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
    """Ends one container from outside: gently at first, hard when asked again."""

    def __init__(self, containers: Containers, container: str) -> None:
        self._containers = containers
        self._container = container
        self._threads: list[threading.Thread] = []
        self.signal: signal.Signals | None = None
        self.timed_out = False

    def by_signal(self, number: int, _frame: FrameType | None) -> None:
        again = self.signal is not None
        self.signal = signal.Signals(number)
        # The engine answers only when the container has ended; meanwhile its last output is still read.
        stop = {"grace": 0} if again else {}
        thread = threading.Thread(target=self._containers.stop, args=(self._container,), kwargs=stop, daemon=True)
        self._threads.append(thread)
        thread.start()

    def repeat(self) -> None:
        """Stop it again if a signal came before there was anything to stop."""
        if self.signal is not None:
            self._containers.stop(self._container)

    def by_time(self) -> None:
        self.timed_out = True
        self._containers.stop(self._container)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@contextmanager
def _caught_signals(ending: _Ending) -> Iterator[None]:
    """Let signals end the container; they reach Python's handlers in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, ending.by_signal) for number in list_heard()}
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
