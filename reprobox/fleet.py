"""Run several containers, some of them at once, so that Ctrl-C, a failure or a lost engine ends them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from reprobox.engines.base import GRACE, Runner
from reprobox.errors import Interrupted
from reprobox.records import RunRecord
from reprobox.reporting import Reporter, Tell
from reprobox.run import RunRequest, run_image

Ran = tuple[Path, RunRecord]
"""A run's folder and its record."""
_LONGEST_LINE = 1000
"""Bytes of a printed line that are looked at."""
_POLL = 0.2
"""Seconds between two looks at whether what was killed has ended: a container may start after the blow."""


def run_fleet(
    requests: Sequence[RunRequest],
    engines: Sequence[Runner],
    now: Callable[[], datetime],
    on_done: Callable[[int, Ran], bool],
    reporter: Reporter | None = None,
) -> None:
    """Run every request, as many at once as there are connections to the engine.

    ``on_done`` gets each run's number and result in this thread as soon as it ends, and says whether to go on: else
    what still runs is ended. What the programs print is in the runs' logs; ``reporter`` shows each run's last line.
    """
    stopped = Event()
    spare: SimpleQueue[Runner] = SimpleQueue()
    for engine in engines:
        spare.put(engine)

    def run_one(number: int, request: RunRequest) -> Ran:
        engine = spare.get()
        name = f"run {number + 1} of {len(requests)}, seed {request.plan.seed}"
        try:
            with reporter.watch(name) if reporter else nullcontext(_ignore) as tell:
                return run_image(replace(request, started=now()), engine, _LastLine(tell).take, stopped.is_set)
        finally:
            spare.put(engine)

    with ThreadPoolExecutor(len(engines)) as pool:
        numbers = {pool.submit(run_one, number, request): number for number, request in enumerate(requests)}
        try:
            for future in as_completed(numbers):
                ran = future.result()
                with reporter.aside() if reporter else nullcontext():
                    if not on_done(numbers[future], ran):
                        return
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None
        finally:
            stopped.set()
            _end_all(tuple(numbers), engines)


def _ignore(text: str) -> None:
    pass


class _LastLine:
    """Tells the last whole line of what a program prints; a bar that it moves with carriage returns is one too."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._rest: dict[str, bytes] = {}

    def take(self, stream: str, data: bytes) -> None:
        """Take the next piece of a stream, of any size."""
        text = self._rest.get(stream, b"") + data
        end = _find_end(text)
        self._rest[stream] = text[end + 1 :][:_LONGEST_LINE]
        whole = text[: max(end, 0)].rstrip()
        if line := whole[_find_end(whole) + 1 :].strip():
            self._tell(line[:_LONGEST_LINE].decode("utf-8", "replace"))


def _find_end(text: bytes) -> int:
    """Return where the last line ends; -1: none does."""
    return max(text.rfind(b"\n"), text.rfind(b"\r"))


def _end_all(futures: Sequence[Future[Ran]], engines: Sequence[Runner]) -> None:
    """Ask what runs to end, then kill until nothing runs; another Ctrl-C meanwhile only ends the asking."""
    for future in futures:
        future.cancel()
    with suppress(KeyboardInterrupt):
        for engine in engines:
            engine.stop_containers(gently=True)
        wait(futures, timeout=GRACE)
    while any(not future.done() for future in futures):
        try:
            for engine in engines:
                engine.stop_containers()
            wait(futures, timeout=_POLL)
        except KeyboardInterrupt:
            continue
