"""What the program tells a person while it works, as a small protocol; how it looks is the console's business."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of bytes done since the last call."""


Tell = Callable[[str], None]
"""Shows a few words of what is going on, in place of those before; may be called from any thread."""


class ShowProgress(Protocol):
    """Moves one of several bars; may be called from any thread."""

    def __call__(self, name: str, done: int, total: int) -> None:
        """Of what is called ``name``, ``done`` bytes of ``total`` are there."""


class Reporter(Protocol):
    """Where notes, warnings and progress go."""

    def note(self, text: str) -> None:
        """Say one thing that happened."""

    def warn(self, text: str) -> None:
        """Say one thing to look at; never ends the program."""

    def start_task(self, name: str, total: int | None) -> Advance:
        """Start a progress bar of ``total`` bytes; the returned function moves it.

        ``None``: something that takes a while and has no bytes to count.
        """

    def end_task(self, name: str) -> None:
        """Finish the bar of that name."""

    def watch(self, name: str) -> AbstractContextManager[Tell]:
        """Show that ``name`` is going on, and what it tells, as long as the block takes: only where that can vanish."""

    def aside(self) -> AbstractContextManager[None]:
        """Take away what moves as long as the block takes, which writes to the terminal itself."""


def format_count(count: int, noun: str) -> str:
    """Return "1 layer" or "2 layers"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@contextmanager
def show_activity(reporter: Reporter, name: str) -> Iterator[None]:
    """Show that ``name`` is going on, as long as the block takes."""
    reporter.start_task(name, None)
    try:
        yield
    finally:
        reporter.end_task(name)


@contextmanager
def show_tasks(reporter: Reporter, prefix: str) -> Iterator[ShowProgress]:
    """Yield a function that takes (name, bytes done, of how many) from any thread and moves that name's bar.

    A bar that is not full when the block is left, by a failure say, ends there too.
    """
    tasks: dict[str, tuple[Advance, int]] = {}
    unfinished: set[str] = set()
    lock = Lock()

    def show(name: str, done: int, total: int) -> None:
        with lock:
            title = f"{prefix} {name}"
            if name not in tasks:
                unfinished.add(title)
                tasks[name] = reporter.start_task(title, total), 0
            elif title not in unfinished:
                return  # what comes after the last byte, a file without any say, has no bar to move
            advance, before = tasks[name]
            advance(done - before)
            tasks[name] = advance, done
            if done >= total and title in unfinished:
                unfinished.remove(title)
                reporter.end_task(title)

    try:
        yield show
    finally:
        for title in sorted(unfinished):
            reporter.end_task(title)
