"""Progress on a terminal: bars with sizes and rates, which vanish when they are full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from reprobox.reporting import Advance, Tell
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable, outlive_terminal

_BAR_WIDTH = 12
_AMOUNT_WIDTH = 31
"""Of "999.9 MB of 999.9 MB 999.9 MB/s"."""
_LINES_PER_SECOND = 2
"""How often what is watched is drawn: ten times would take a fiftieth of a core from the training, for each run."""


class TerminalReporter:
    """Bars with sizes and rates; notes and warnings stand above them."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._console = Console(file=outlive_terminal(stream), no_color=not color, highlight=False)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = RLock()  # whatever is done aside may have bars of its own

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a yellow line above the bars."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def start_task(self, name: str, total: int | None) -> Advance:
        """Add a bar."""
        progress, task = self._add_task(name, total, self._start_bars)
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

    @contextmanager
    def watch(self, name: str) -> Iterator[Tell]:
        """Show a line with the time that the block has taken, and the last that it told."""
        progress, task = self._add_task(name, None, self._start_lines)
        try:
            yield lambda text: progress.update(task, told=text)
        finally:
            self.end_task(name)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bars away, and show them again."""
        with self._lock:
            progress = self._progress
            if progress is None:
                yield
                return
            self._set_visible(progress, visible=False)
            progress.stop()
            try:
                yield
            finally:
                progress.live.vertical_overflow = "ellipsis"  # stopping makes it show all, however many
                self._set_visible(progress, visible=True)
                progress.start()

    def _set_visible(self, progress: Progress, *, visible: bool) -> None:
        for task in self._tasks.values():
            progress.update(task, visible=visible)

    def _add_task(
        self, name: str, total: int | None, start_progress: Callable[[], Progress]
    ) -> tuple[Progress, TaskID]:
        """Add a task to what is shown; where nothing is, that looks as this one wants it."""
        with self._lock:
            progress = self._progress = self._progress or start_progress()
            task = self._tasks[name] = progress.add_task(escape_unprintable(name), total=total, told="")
            return progress, task

    def _start_bars(self) -> Progress:
        width = max(self._console.width - _BAR_WIDTH - _AMOUNT_WIDTH - 2, _BAR_WIDTH)
        name = TextColumn("{task.description}", markup=False, table_column=_make_column(max_width=width))
        return self._start(name, BarColumn(_BAR_WIDTH), _AmountColumn())

    def _start_lines(self) -> Progress:
        name = TextColumn("{task.description}", markup=False, table_column=_make_column())
        return self._start(name, _AmountColumn(), _ToldColumn(), expand=True, refresh_per_second=_LINES_PER_SECOND)

    def _start(self, *columns: ProgressColumn, expand: bool = False, refresh_per_second: float = 10) -> Progress:
        progress = Progress(
            *columns,
            console=self._console,
            transient=True,
            redirect_stdout=False,
            expand=expand,
            refresh_per_second=refresh_per_second,
        )
        progress.start()
        return progress


def _make_column(*, max_width: int | None = None, ratio: int | None = None) -> Column:
    return Column(no_wrap=True, overflow="ellipsis", max_width=max_width, ratio=ratio)


class _ToldColumn(ProgressColumn):
    """What was told last; escaped when it is drawn, for a program may print thousands of lines a second."""

    def __init__(self) -> None:
        super().__init__(table_column=_make_column(ratio=1))

    def render(self, task: Task) -> Text:
        return Text(escape_unprintable(task.fields["told"]))


class _AmountColumn(ProgressColumn):
    """How much of how much, and how fast; or how long, for what has no bytes to count."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(_format_time(task.elapsed or 0))
        rate = f" {format_size(task.speed)}/s" if task.speed else ""
        return Text(f"{format_size(task.completed)} of {format_size(task.total)}{rate}")


def _format_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
