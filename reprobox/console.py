"""How notes, warnings and progress look: rich bars on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, TextIO

from reprobox.reporting import Advance, Reporter

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PLAIN_INTERVAL = 5.0
"""Seconds between two lines about the same task where there is no terminal."""


def make_reporter(stream: TextIO, environ: Mapping[str, str]) -> Reporter:
    """Return bars for a terminal and plain lines for anything else; ``TERM=dumb`` counts as anything else."""
    if stream.isatty() and environ.get("TERM") != "dumb":
        return TerminalReporter(stream, color="NO_COLOR" not in environ)
    return PlainReporter(stream)


def format_size(count: float) -> str:
    """Return bytes for people: 12.3 MB, powers of ten as disks and downloads are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


@dataclass
class _PlainTask:
    name: str
    total: int | None
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)


class PlainReporter:
    """One line per event, and one every few seconds for what takes long."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tasks: dict[str, _PlainTask] = {}
        self._lock = Lock()

    def note(self, text: str) -> None:
        """Print one line."""
        self._print(text)

    def warn(self, text: str) -> None:
        """Print one line that says it is a warning."""
        self._print(f"warning: {text}")

    def start_task(self, name: str, total: int | None) -> Advance:
        """Watch a task; nothing is printed when it ends soon."""
        task = _PlainTask(name, total)
        with self._lock:
            self._tasks[name] = task
        return lambda count: self._advance(task, count)

    def end_task(self, name: str) -> None:
        """Print the task's size and rate."""
        with self._lock:
            task = self._tasks.pop(name, None)
        if task is None:
            return
        seconds = max(time.monotonic() - task.started, 1e-3)
        rate = f" at {format_size(task.done / seconds)}/s" if task.done else ""
        self._print(
            f"{task.name}: {format_size(task.done)} in {seconds:.1f} s{rate}" if task.done else f"{task.name}: done"
        )

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
            print(text, file=self._stream, flush=True)


class TerminalReporter:
    """Bars with sizes and rates; they vanish when all tasks are done."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        from rich.console import Console

        self._console = Console(file=stream, no_color=not color, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print a yellow line above the bars."""
        self._console.print(f"warning: {text}", style="yellow", markup=False)

    def start_task(self, name: str, total: int | None) -> Advance:
        """Add a bar."""
        with self._lock:
            progress = self._progress = self._progress or self._start_progress()
            task = self._tasks[name] = progress.add_task(name, total=total)
        return lambda count: progress.advance(task, count)

    def end_task(self, name: str) -> None:
        """Take the bar away; with the last one the display ends."""
        with self._lock:
            task = self._tasks.pop(name, None)
            if self._progress is None or task is None:
                return
            self._progress.remove_task(task)
            if not self._tasks:
                self._progress.stop()
                self._progress = None

    def _start_progress(self) -> Progress:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._console,
            transient=True,
        )
        progress.start()
        return progress
