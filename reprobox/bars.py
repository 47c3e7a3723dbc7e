"""Progress on a terminal: bars with sizes and rates, which vanish when they are full."""

from __future__ import annotations

from threading import Lock
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from reprobox.reporting import Advance
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable

_BAR_WIDTH = 12
_AMOUNT_WIDTH = 31
"""Of "999.9 MB of 999.9 MB 999.9 MB/s"."""


class TerminalReporter:
    """Bars with sizes and rates; notes and warnings stand above them."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._console = Console(file=stream, no_color=not color, highlight=False)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a yellow line above the bars."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def start_task(self, name: str, total: int | None) -> Advance:
        """Add a bar."""
        with self._lock:
            progress = self._progress = self._progress or self._start_progress()
            task = self._tasks[name] = progress.add_task(escape_unprintable(name), total=total)
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
        width = max(self._console.width - _BAR_WIDTH - _AMOUNT_WIDTH - 2, _BAR_WIDTH)
        column = Column(no_wrap=True, overflow="ellipsis", max_width=width)
        name = TextColumn("{task.description}", markup=False, table_column=column)
        progress = Progress(name, BarColumn(_BAR_WIDTH), _AmountColumn(), console=self._console, transient=True)
        progress.start()
        return progress


class _AmountColumn(ProgressColumn):
    """How much of how much, and how fast; or how long, for what has no bytes to count."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.elapsed or 0:.0f} s")
        rate = f" {format_size(task.speed)}/s" if task.speed else ""
        return Text(f"{format_size(task.completed)} of {format_size(task.total)}{rate}")
