"""What the program tells a person while it works, as a small protocol; how it looks is the console's business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of bytes done since the last call."""


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
