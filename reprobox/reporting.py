"""What the program tells a person while it works, as a small protocol; how it looks is the console's business."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of bytes done since the last call."""


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
        """Start a progress bar of ``total`` bytes (``None``: unknown); the returned function moves it."""

    def end_task(self, name: str) -> None:
        """Finish the bar of that name."""


class SilentReporter:
    """Says nothing; warnings are kept for whoever wants them."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Keep the warning."""
        self.warnings.append(text)

    def start_task(self, name: str, total: int | None) -> Advance:
        """Show nothing."""
        return lambda _: None

    def end_task(self, name: str) -> None:
        """Show nothing."""


@contextmanager
def show_tasks(reporter: Reporter, prefix: str) -> Iterator[ShowProgress]:
    """Yield a function that takes (name, bytes done, of how many) from any thread and moves that name's bar."""
    tasks: dict[str, tuple[Advance, int]] = {}
    lock = Lock()

    def show(name: str, done: int, total: int) -> None:
        with lock:
            title = f"{prefix} {name}"
            advance, before = tasks.get(name) or (reporter.start_task(title, total), 0)
            advance(done - before)
            tasks[name] = advance, done
            if done >= total > before:
                reporter.end_task(title)

    yield show
