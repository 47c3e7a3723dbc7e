"""Figures and what is asked of them: medians, their noise, limits."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def time_process(argv: Sequence[str | Path], environ: Mapping[str, str], *, timeout: float = 900) -> tuple[float, str]:
    """Run a program that must succeed; return its wall time and what it printed, stdout and stderr together."""
    started = time.perf_counter()
    done = subprocess.run(
        argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{argv}: exit code {done.returncode}\n{done.stdout[-4000:]}")
    return seconds, done.stdout


@dataclass(frozen=True)
class Figure:
    """A measured figure: the median of its rounds; its noise is half the distance between their quartiles."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def noise(self) -> float:
        if len(self.rounds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.rounds, n=4, method="inclusive")
        return (high - low) / 2


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure, in which unit, and what it may be at most (``None``: shown, not judged)."""

    what: str
    figure: Figure
    unit: str
    limit: float | None = None
    note: str = ""
    sides: Mapping[str, Figure] = field(default_factory=dict)
    """The measured seconds that a ratio or a difference was made of."""

    @property
    def met(self) -> bool | None:
        """Whether the limit holds, give or take the figure's own noise."""
        return None if self.limit is None else self.figure.median - self.figure.noise <= self.limit


def make_ratio(one: Figure, other: Figure) -> Figure:
    """Divide round by round: the sides of a round were measured right after each other, on the same busy machine."""
    return Figure(tuple(left / right for left, right in zip(one.rounds, other.rounds, strict=True)))


def make_difference(one: Figure, other: Figure) -> Figure:
    """Subtract round by round."""
    return Figure(tuple(left - right for left, right in zip(one.rounds, other.rounds, strict=True)))
