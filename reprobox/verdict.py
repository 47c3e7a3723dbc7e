"""Records and comparisons -> what they prove: pure, and shared by whoever repeats runs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from reprobox.compare.model import FileComparison, Result, Tolerance
from reprobox.errors import RunError
from reprobox.records import Gpu, RunRecord

CONFIDENCE = 0.95
DIFFERENT = 1
"""Exit code: it ran, and the results are not the same."""


class Verdict(StrEnum):
    """What repeating a run came to."""

    IDENTICAL = "IDENTICAL"
    """Every run left the same content."""
    EQUIVALENT = "EQUIVALENT"
    """Every difference lies within the tolerance that was asked for."""
    CONSISTENT = "CONSISTENT"
    """Runs with other seeds: the claim lies inside their prediction band."""
    DIFFERENT = "DIFFERENT"
    NOT_RUN = "NOT RUN"
    """A run failed, left something out, or was interrupted."""
    NOT_COMPARABLE = "NOT COMPARABLE"
    """There is nothing that could be compared, or what was compared was not meant to be the same."""


@dataclass(frozen=True)
class Obstacle:
    """One thing that was not the same before two programs ran, so that their outputs need not be either."""

    kind: str
    """"image", "seed", "level", "GPU" or "input"."""
    one: str
    other: str
    name: str = ""
    """The input's."""

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        return f"{self.kind}{name}: {self.one} against {self.other}"


@dataclass(frozen=True)
class RunComparison:
    """What one run left, against the reference."""

    run: str
    missing: tuple[str, ...] = ()
    """Outputs that only the reference has."""
    added: tuple[str, ...] = ()
    files: tuple[tuple[str, FileComparison], ...] = ()
    """Path and comparison of each output whose bytes differ, in the order of the paths."""

    @property
    def identical(self) -> bool:
        """Whether the content is the same in every file."""
        return not self.missing and not self.added and all(found.result in _SAME for _, found in self.files)

    @property
    def tolerable(self) -> bool:
        """Whether every difference lies within the tolerance."""
        inside = (
            found.result in _SAME or (found.result is Result.DIFFERENT and found.tolerable) for _, found in self.files
        )
        return not self.missing and not self.added and all(inside)

    @property
    def unreadable(self) -> bool:
        """Whether nothing differs but files that could not be read."""
        readable = (found.result in _SAME for _, found in self.files if found.result is not Result.NOT_COMPARABLE)
        return not self.identical and not self.missing and not self.added and all(readable)

    def to_json(self) -> dict[str, object]:
        """Return what records keep; a number may be none that JSON has."""
        return {
            "run": self.run,
            "identical": self.identical,
            "missing": list(self.missing),
            "added": list(self.added),
            "files": [{"path": path, **found.to_json()} for path, found in self.files],
        }


_SAME = (Result.SAME_BYTES, Result.SAME_CONTENT)


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reasons."""

    verdict: Verdict
    runs: int
    """How many were run for it."""
    agreeing: int
    """How many of them left what the reference has; the reference itself counts where it is one of them."""
    reason: str
    """One sentence for people."""
    bound: float | None = None
    """With 95 % confidence the divergence rate is at most this; only where all runs agree."""


def bound_divergence(runs: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest divergence rate at which ``runs`` agreeing runs are no surprise: 5 of them prove 45 %."""
    return 1 - math.pow(1 - confidence, 1 / runs)


def find_obstacles(reference: RunRecord, run: RunRecord) -> tuple[Obstacle, ...]:
    """Return what was not the same before a program ran, so that its outputs need not be either."""
    pairs = (
        ("image", "", reference.image_digest, run.image_digest),
        ("seed", "", str(reference.seed), str(run.seed)),
        ("level", "", reference.level, run.level),
        ("GPU", "", describe_gpus(reference.gpus) or "none", describe_gpus(run.gpus) or "none"),
        *(
            ("input", name, reference.inputs.get(name, "none"), run.inputs.get(name, "none"))
            for name in sorted(reference.inputs.keys() | run.inputs.keys())
        ),
    )
    return tuple(Obstacle(kind, _shorten(a), _shorten(b), name) for kind, name, a, b in pairs if a != b)


GPU_PROMISE = "the same bits are promised only on as many GPUs of the same model with the same branch of the driver"


def describe_gpus(gpus: Sequence[Gpu]) -> str:
    """Name how many there are of which model with which branch of the driver; empty: there are none.

    Several add up their parts in another order than one, and a part of one has fewer processors than the whole:
    https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility
    """
    counts = Counter(
        f"{gpu.name}{' divided (MIG)' if gpu.mig else ''} with driver {gpu.driver.partition('.')[0]}" for gpu in gpus
    )
    return " and ".join(f"{count} × {name}" if count > 1 else name for name, count in counts.items())


def _shorten(value: str) -> str:
    """Cut a digest to what tells it from others."""
    return value[:19] if re.fullmatch(r"(\w+:)?[0-9a-f]{64}", value) else value[:200]


def decide(
    comparisons: Sequence[RunComparison],
    *,
    nothing_left: bool,
    with_reference: bool,
    obstacles: Sequence[Obstacle] = (),
    tolerance: Tolerance | None = None,
) -> Judgement:
    """Judge runs by how each compares with the reference.

    ``with_reference``: the reference is the first of the runs, and not an earlier one. ``nothing_left``: the reference
    has no outputs at all.
    """
    first = 1 if with_reference else 0
    runs = len(comparisons) + first
    agreeing = first + sum(one.identical for one in comparisons)
    if nothing_left:
        reason = "the runs left no outputs: write what should be compared below /output"
        return Judgement(Verdict.NOT_COMPARABLE, runs, agreeing, reason)
    if agreeing == runs:
        bound = bound_divergence(runs)
        reason = f"{runs}/{runs} identical: divergence rate ≤ {format_rate(bound)} at 95 %"
        return Judgement(Verdict.IDENTICAL, runs, agreeing, reason, bound)
    if tolerance is not None and all(one.tolerable for one in comparisons):
        reason = f"{agreeing}/{runs} identical, {runs}/{runs} within the tolerance"
        return Judgement(Verdict.EQUIVALENT, runs, agreeing, reason)
    if obstacles:
        reason = f"the results differ, and so does what they come from: {'; '.join(map(str, obstacles))}"
        return Judgement(Verdict.NOT_COMPARABLE, runs, agreeing, reason)
    if all(one.identical or one.unreadable for one in comparisons):
        reason = "nothing is known to differ but what cannot be read"
        return Judgement(Verdict.NOT_COMPARABLE, runs, agreeing, reason)
    return Judgement(Verdict.DIFFERENT, runs, agreeing, _describe_disagreement(runs, agreeing, first))


def _describe_disagreement(runs: int, agreeing: int, first: int) -> str:
    if first:
        return f"{runs - agreeing} of {runs} runs differ from the first"
    return f"{runs - agreeing} of {runs} runs differ from the one they were set against"


def choose_exit(verdict: Verdict) -> int:
    """Return the exit code that a verdict is."""
    match verdict:
        case Verdict.IDENTICAL | Verdict.EQUIVALENT | Verdict.CONSISTENT:
            return 0
        case Verdict.NOT_RUN:
            return RunError.exit_code
        case _:
            return DIFFERENT


def judge_claim(inside: bool | None, *, sparse: bool) -> Verdict | None:
    """Judge a claimed value by whether the prediction band of other seeds holds it; ``None`` where there is no band.

    ``sparse``: fewer than half of the seeds left a value, so that the band is not that of the seeds.
    """
    if sparse:
        return Verdict.NOT_COMPARABLE
    if inside is None:
        return None
    return Verdict.CONSISTENT if inside else Verdict.DIFFERENT


def format_rate(rate: float) -> str:
    """Return a rate as a percentage of two figures: 45 %, 9.5 %."""
    return f"{100 * rate:.2g} %"


@dataclass(frozen=True)
class Cost:
    """What determinism costs: times of pairs of runs, at the level and at ``off``."""

    seconds: tuple[float, ...]
    """At the level, in the order of the pairs."""
    seconds_off: tuple[float, ...]
    distinct_off: int
    """How many different results the runs at ``off`` left."""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Time at the level over time at ``off``, pair by pair."""
        return tuple(one / off for one, off in zip(self.seconds, self.seconds_off, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.ratios)

    @property
    def measurable(self) -> bool:
        """Whether no pair says the opposite of the others, so that it is more than noise."""
        return min(self.ratios) > 1 or max(self.ratios) < 1


_WORTH_SAVING = 1.05


def suggest_cheaper(cost: Cost, record: RunRecord) -> tuple[str, ...]:
    """Return ways to the same bits that may cost less, where it costs anything; each wants a ``verify`` of its own.

    What they saved elsewhere: filling memory 15 % to 2 % in Megatron-LM (6253, 7093), one thread instead of two on two
    cores 1.75 to 2.1 times the time in a small CNN; Chainer without cuDNN took a CNN on a GPU 2.2 times its time, with
    cuDNN's deterministic convolutions 1.025 times (the blog post that this tool grew from).
    """
    if cost.ratio < _WORTH_SAVING or not cost.measurable:
        return ()
    switches = record.switches
    ways = []
    threads, cpus = switches.get("threads"), record.host.cpus
    if isinstance(threads, int) and threads < cpus:
        ways.append(
            f"determinism.threads: {cpus} — a fixed number of threads repeats as well as one does in most libraries;"
            " the bits are others than with one thread"
        )
    if switches.get("fill_uninitialized_memory"):
        ways.append("determinism.fill_uninitialized_memory: false — valid programs get the same bits without")
    if record.environment.get("CHAINER_CUDNN") == "0":
        ways.append(
            "env: without CHAINER_CUDNN=0, where Chainer is 1.18 or newer — cuDNN's convolutions are held to its"
            " deterministic algorithms then, and need not be left out"
        )
    if record.level == "portable":
        if switches.get("cpu") == "avx2" and "Intel" in record.host.cpu_model:
            ways.append("determinism.cpu: avx2-intel — MKL's fast paths, if every machine has a processor of Intel's")
        ways.append("determinism: bitwise — if the same kind of processor is enough")
    return tuple(ways)
