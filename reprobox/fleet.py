"""Run several containers, some of them at once, so that Ctrl-C, a failure or a lost engine ends them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from reprobox.engines.base import GRACE, Runner
from reprobox.errors import Interrupted
from reprobox.records import RunRecord
from reprobox.run import RunRequest, run_image

Ran = tuple[Path, RunRecord]
"""A run's folder and its record."""
_POLL = 0.2
"""Seconds between two looks at whether what was killed has ended: a container may start after the blow."""


def run_fleet(
    requests: Sequence[RunRequest],
    engines: Sequence[Runner],
    now: Callable[[], datetime],
    on_done: Callable[[int, Ran], bool],
) -> None:
    """Run every request, as many at once as there are connections to the engine.

    ``on_done`` gets each run's number and result in this thread as soon as it ends, and says whether to go on: else
    what still runs is ended. What the programs print is in the runs' logs only.
    """
    stopped = Event()
    spare: SimpleQueue[Runner] = SimpleQueue()
    for engine in engines:
        spare.put(engine)

    def run_one(request: RunRequest) -> Ran:
        engine = spare.get()
        try:
            return run_image(replace(request, started=now()), engine, lambda stream, data: None, stopped.is_set)
        finally:
            spare.put(engine)

    with ThreadPoolExecutor(len(engines)) as pool:
        numbers = {pool.submit(run_one, request): number for number, request in enumerate(requests)}
        try:
            for future in as_completed(numbers):
                if not on_done(numbers[future], future.result()):
                    return
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None
        finally:
            stopped.set()
            _end_all(tuple(numbers), engines)


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
