"""How notes, warnings and progress look: rich bars on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TextIO

from reprobox.reporting import Advance, Reporter, Tell
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable, has_gone, silence

_PLAIN_INTERVAL = 5.0
"""Seconds between two lines about the same task where there is no terminal."""
_SHORTEST_RATE = 1.0
"""Seconds that a task must have taken for its rate to mean anything."""


def make_reporter(stream: TextIO, environ: Mapping[str, str]) -> Reporter:
    """Return bars for a terminal and plain lines for anything else; ``TERM=dumb`` counts as anything else."""
    if stream.isatty() and environ.get("TERM") != "dumb":
        from reprobox.bars import TerminalReporter

        return TerminalReporter(stream, color="NO_COLOR" not in environ)
    return PlainReporter(stream)


@dataclass
class _PlainTask:
    name: str
    total: int | None
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)


class PlainReporter:
    """One line per event, and one every few seconds for what takes long."""

    def __init__(self, stream: TextIO, *, tells_watched: bool = False) -> None:
        """``tells_watched``: for somebody who shows the last line only, and keeps none."""
        self._stream = stream
        self._tells_watched = tells_watched
        self._tasks: dict[str, _PlainTask] = {}
        self._lock = Lock()

    def note(self, text: str) -> None:
        """Print one line."""
        self._print(text)

    def warn(self, text: str) -> None:
        """Print one line that says it is a warning."""
        self._print(f"warning: {text}")

    def start_task(self, name: str, total: int | None) -> Advance:
        """Watch a task; what has no bytes to count is named at once, since it may take long."""
        task = _PlainTask(name, total)
        with self._lock:
            self._tasks[name] = task
        if total is None:
            self._print(name)
        return lambda count: self._advance(task, count)

    def end_task(self, name: str) -> None:
        """Print how much it was and how long it took; nothing for nothing."""
        with self._lock:
            task = self._tasks.pop(name, None)
        if task is None:
            return
        seconds = time.monotonic() - task.started
        if task.done:
            rate = f" at {format_size(task.done / seconds)}/s" if seconds >= _SHORTEST_RATE else ""
            self._print(f"{task.name}: {format_size(task.done)} in {seconds:.1f} s{rate}")
        elif task.total is None and seconds >= _SHORTEST_RATE:
            self._print(f"{task.name}: {seconds:.1f} s")

    @contextmanager
    def watch(self, name: str) -> Iterator[Tell]:
        """Show nothing, unless the last line alone is seen: a log would hold too many."""
        if not self._tells_watched:
            yield lambda text: None
            return
        said = time.monotonic()
        self._print(name)

        def tell(text: str) -> None:
            nonlocal said
            now = time.monotonic()
            if now - said >= _PLAIN_INTERVAL:
                said = now
                self._print(f"{name}  {text}")

        yield tell

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take nothing away: nothing moves here."""
        yield

    def _advance(self, task: _PlainTask, count: int) -> None:
        task.done += count
        now = time.monotonic()
        if now - task.said < _PLAIN_INTERVAL:
            return
        task.said = now
        whole = f" of {format_size(task.total)}" if task.total else ""
        self._print(f"{task.name}: {format_size(task.done)}{whole}")

    def _print(self, text: str) -> None:
        with self._lock:
            try:
                lines = map(escape_unprintable, text.split("\n"))
                print("\n".join(lines), file=self._stream, flush=True)
            except OSError as exc:
                if not has_gone(exc, self._stream):
                    raise
                silence(self._stream)
