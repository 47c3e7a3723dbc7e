"""What a sweep over seeds is: the seeds, what each run gave, and what that comes to; as data, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reprobox.errors import UsageError
from reprobox.files import write_atomic
from reprobox.metrics import is_measured
from reprobox.records import RunRecord
from reprobox.statistics import Claim, Spread, place_claim, summarize

SWEEP_SCHEMA = 1
_LARGEST_RECORD = 64 * 2**20


@dataclass(frozen=True)
class SeedRun:
    """One run of a sweep."""

    seed: int
    run: str
    """The run's id, below ``.reprobox/runs``."""
    exit_code: int
    complete: bool
    """Whether it ended well and left every declared output."""
    seconds: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class SweepRecord:
    """All seeds that were run of one image: ``.reprobox/sweep/<id>.json``."""

    id: str
    name: str
    image_digest: str
    spec_digest: str
    lock_digest: str
    level: str
    gpu: bool
    claimed_seed: int
    runs: tuple[SeedRun, ...]
    """By seed; a seed that was run again has its last run here."""

    def find(self, seed: int) -> SeedRun | None:
        """Return the run of a seed that ended well."""
        return next((run for run in self.runs if run.seed == seed and run.complete), None)

    def add(self, run: SeedRun) -> SweepRecord:
        """Return the record with one more run."""
        others = (one for one in self.runs if one.seed != run.seed)
        return replace(self, runs=tuple(sorted((*others, run), key=lambda one: one.seed)))


@dataclass(frozen=True)
class MetricSummary:
    """How one metric spreads over the seeds, the claimed one apart."""

    name: str
    values: tuple[tuple[int, float], ...]
    """(seed, value) of every other seed that has it."""
    spread: Spread
    claim: Claim | None
    """The claimed seed's value among them; ``None`` where its run has no such metric."""
    lacking: tuple[int, ...] = ()
    """The other seeds that left no such value: their runs failed, or what they computed is no number any more."""

    @property
    def seeds(self) -> int:
        """How many other seeds there are, with such a value or without."""
        return len(self.values) + len(self.lacking)

    @property
    def sparse(self) -> bool:
        """Whether fewer than half of the seeds left a value, so that those that did stand for nothing."""
        return 2 * len(self.values) < self.seeds


def sweep_id(image_digest: str, *, gpu: bool) -> str:
    """Return the name of an image's sweep: what was run of one image is never mixed with another's."""
    return image_digest.partition(":")[2][:12] + ("-gpu" if gpu else "")


def choose_seeds(claimed: int, count: int) -> tuple[int, ...]:
    """Return the first ``count`` seeds from 1 on, without the claimed one: nobody can have picked them."""
    return tuple(seed for seed in range(1, count + 2) if seed != claimed)[:count]


def take_run(record: RunRecord) -> SeedRun:
    """Return what a sweep keeps of a run."""
    metrics = {name: value for name, value in record.metrics.items() if is_measured(value)}
    return SeedRun(record.seed, record.id, record.exit_code, not record.failed, record.seconds, metrics)


def list_metrics(record: SweepRecord) -> tuple[str, ...]:
    """Return every metric that some run of the sweep has."""
    return tuple(sorted({name for run in record.runs if run.complete for name in run.metrics}))


def summarize_metric(record: SweepRecord, name: str, seeds: Iterable[int]) -> MetricSummary | None:
    """Return the spread of a metric over ``seeds``; ``None`` where none of them has it."""
    wanted = set(seeds) - {record.claimed_seed}
    values = tuple(
        (run.seed, run.metrics[name])
        for run in record.runs
        if run.complete and run.seed in wanted and name in run.metrics
    )
    if not values:
        return None
    numbers = [value for _, value in values]
    spread = summarize(numbers)
    claimed = record.find(record.claimed_seed)
    value = claimed.metrics.get(name) if claimed else None
    claim = None if value is None else place_claim(value, numbers, spread)
    return MetricSummary(name, values, spread, claim, tuple(sorted(wanted - {seed for seed, _ in values})))


def write_sweep(path: Path, record: SweepRecord) -> None:
    """Write the record; what a reader finds there is always whole."""
    data = {"schema_version": SWEEP_SCHEMA, **asdict(record)}
    write_atomic(path, json.dumps(data, indent=1, ensure_ascii=True) + "\n")


def read_sweep(path: Path, fresh: SweepRecord) -> SweepRecord:
    """Return the record at ``path``, or ``fresh`` where there is none; ``UsageError`` when it cannot be used."""
    try:
        text = path.read_text("utf-8") if path.stat().st_size <= _LARGEST_RECORD else ""
    except FileNotFoundError:
        return fresh
    except (OSError, UnicodeDecodeError) as exc:
        raise _refuse(path, str(exc)) from exc
    try:
        data = json.loads(text)
        if data["schema_version"] != SWEEP_SCHEMA or data["image_digest"] != fresh.image_digest:
            raise _refuse(path, "it is another version's, or another image's")
        return replace(fresh, runs=tuple(_parse_run(one) for one in data["runs"]))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise _refuse(path, f"{type(exc).__name__}: {exc}") from exc


def _refuse(path: Path, reason: str) -> UsageError:
    return UsageError(f"the sweep's record {path} cannot be used: {reason}", hint="remove it, and the seeds run again")


def _parse_run(data: dict[str, Any]) -> SeedRun:
    run = SeedRun(
        seed=data["seed"],
        run=data["run"],
        exit_code=data["exit_code"],
        complete=data["complete"],
        seconds=data["seconds"],
        metrics={str(name): float(value) for name, value in data["metrics"].items()},
    )
    if type(run.seed) is not int or type(run.run) is not str or type(run.complete) is not bool:
        raise ValueError("a run in it is not what it should be")
    return run
