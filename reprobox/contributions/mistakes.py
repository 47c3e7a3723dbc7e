"""What is wrong with somebody's file, all of it at once."""

from __future__ import annotations

from reprobox.errors import Problem, UsageError
from reprobox.streams import escape_unprintable

_MOST = 20
_LONGEST = 80


class Mistakes:
    """The problems of a few files, as they are found."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, file: str, line: int, message: str, hint: str = "") -> None:
        """Note one; ``line`` counts from 1 (0: the whole file)."""
        self.found.append(Problem(escape_unprintable(file), line, 0, "", message, hint))

    def blame(self, file: str) -> bool:
        """Whether anything is wrong with this file."""
        return any(problem.file == escape_unprintable(file) for problem in self.found)

    def check(self, hint: str) -> None:
        """Raise one ``UsageError`` with all of them, if there are any; a long list ends in how many more there are."""
        if not self.found:
            return
        shown = [str(one) for one in sorted(self.found)[:_MOST]]
        shown += [f"… and {len(self.found) - _MOST} more"] if len(self.found) > _MOST else []
        raise UsageError("\n".join(shown), hint=hint)


def quote(text: str) -> str:
    """Return a stranger's text for a message: in quotes, cut, nothing in it that a terminal would obey."""
    kept = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return f"'{escape_unprintable(kept)}'"
