"""The one error family: every failure a user can meet has an exit code and a hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ReproboxError(Exception):
    """Base of every expected failure.

    ``message`` says what happened and to which file or key, ``hint`` what to do next.
    """

    exit_code = 70

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(ReproboxError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a file; ``line`` and ``column`` count from 1 (0: the whole file, the whole line)."""

    file: str
    line: int
    column: int
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = ":".join(str(one) for one in (self.file, self.line, self.column) if one)
        key = f" {self.key}:" if self.key else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{where}:{key} {self.message}{hint}"


class SpecError(ReproboxError):
    """A spec that cannot be used; carries every problem found in it, in file order."""

    exit_code = 3

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class LockError(ReproboxError):
    """The lock is missing, stale, damaged, or cannot be made.

    ``about`` is the package that cannot be had, where it is one: the spec may name it.
    """

    exit_code = 4

    def __init__(self, message: str, *, hint: str | None = None, about: str = "") -> None:
        super().__init__(message, hint=hint)
        self.about = about


class LockErrors(LockError):
    """Several reasons why no lock can be made, each of which stands whatever becomes of the others."""

    def __init__(self, errors: Sequence[LockError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


def join_lock_errors(errors: Sequence[LockError]) -> LockError:
    """Make one error of one or more."""
    return errors[0] if len(errors) == 1 else LockErrors(errors)


class EngineError(ReproboxError):
    """No container engine answers, or the one that does cannot do what is needed."""

    exit_code = 5


class BuildError(ReproboxError):
    """The image could not be made."""

    exit_code = 6


class FetchError(BuildError):
    """Something the lock names could not be had with the hash it names."""


class RunError(ReproboxError):
    """The user's program failed; its own exit code is in the run record."""

    exit_code = 7


class BundleError(ReproboxError):
    """A bundle that was handed over is refused: damaged, hostile, or not what it says it is."""

    exit_code = 8


class Interrupted(ReproboxError):
    """The user pressed Ctrl-C or the process was asked to end."""

    exit_code = 130
