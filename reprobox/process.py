"""Start a program: the one place that does, always with a time limit and never with a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """What a program left behind."""

    code: int
    stdout: str
    stderr: str


def run_program(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run ``argv`` to its end and return its exit code and output, decoded as UTF-8.

    ``env`` is added to the caller's environment; ``None`` takes a variable away. Raises ``FileNotFoundError``
    when there is no such program and ``subprocess.TimeoutExpired`` after ``timeout`` seconds; a non-zero exit
    raises nothing.
    """
    done = subprocess.run(
        list(argv),
        input=stdin,
        env={key: value for key, value in {**os.environ, **(env or {})}.items() if value is not None},
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
