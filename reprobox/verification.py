"""What ``verify`` found, as data: printed for people, kept as ``.reprobox/verify/<id>.json`` for reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from reprobox.compare.model import Tolerance
from reprobox.contributions.agreement import MEANING, Comparison
from reprobox.errors import UsageError
from reprobox.json_values import JsonObject, name_non_finite
from reprobox.outputs import Unread
from reprobox.pins import Promise
from reprobox.records import RunRecord
from reprobox.suspects import RankedSuspect
from reprobox.verdict import GPU_PROMISE, Cost, Judgement, RunComparison, describe_gpus, suggest_cheaper

VERIFY_SCHEMA = 1


@dataclass(frozen=True)
class VerifyOptions:
    """What was asked for."""

    runs: int
    jobs: int
    against: str
    """An earlier run's id, folder or record, or a verification's; empty: the first of the new ones."""
    tolerance: Tolerance | None
    cost: bool
    trace: bool
    gpus: tuple[str, ...]

    def check(self) -> None:
        """Raise ``UsageError`` for what cannot be done."""
        if self.runs < 2 and not self.against:
            raise UsageError("one run agrees with itself", hint="say --runs 2 or more, or --against an earlier run")
        if self.cost and self.jobs > 1:
            raise UsageError("runs beside each other disturb each other's times", hint="leave out --jobs or --cost")
        if self.cost and self.trace:
            raise UsageError("tracing takes time itself", hint="leave out --trace or --cost")


@dataclass(frozen=True)
class Row:
    """One run as ``verify`` shows it."""

    number: int
    """From 1, in the order of the runs' starts."""
    folder: Path
    record: RunRecord
    outputs: tuple[tuple[str, str], ...]
    """Path and sha256 of what is compared."""
    off: bool = False
    """Whether it ran at level ``off``, for its time only."""
    unread: tuple[Unread, ...] = ()
    """What else it left where outputs are compared: links, pipes, files that cannot be read."""

    @property
    def digest(self) -> str:
        """One digest of all outputs; the same for the same bytes under the same names."""
        return digest_outputs(self.outputs)


def digest_outputs(outputs: tuple[tuple[str, str], ...]) -> str:
    """Return the sha256 of ``sha256sum``'s lines for these outputs."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in outputs)
    return sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Verification:
    """N runs and what they prove."""

    id: str
    path: Path
    """Where it is kept."""
    started: str
    rows: tuple[Row, ...]
    """The runs that are compared, in order; fewer than were asked for where one failed."""
    wanted: int
    against: str
    """The run that they were set against, if it is not the first of them."""
    tolerance: Tolerance | None
    judgement: Judgement
    comparisons: tuple[RunComparison, ...]
    first_stage: str
    """The first stage that declares an output which differs."""
    first_step: str
    """Where the traces part first, if there are any."""
    suspects: tuple[RankedSuspect, ...]
    notes: tuple[str, ...]
    cost: Cost | None
    cpu: str
    """What level ``portable`` holds the image to; "" at any other level."""
    promises: tuple[Promise, ...]
    """What that says of other processors: runs on one prove nothing about it."""
    contributions: tuple[tuple[str, Comparison], ...] = ()
    """Run -> how far its contributions agree with those of the run it is compared with, where both have some."""

    @property
    def gpus(self) -> str:
        """The GPUs of the runs, for which alone the same bits are promised; empty: they had none."""
        return describe_gpus(self.rows[0].record.gpus) if self.rows else ""

    def to_json(self) -> JsonObject:
        """Return what is kept, and what ``verify --json`` prints; numbers that JSON lacks are texts."""
        record = self.rows[0].record if self.rows else None
        return {
            "schema_version": VERIFY_SCHEMA,
            "id": self.id,
            "started": self.started,
            "verdict": self.judgement.verdict.value,
            "reason": self.judgement.reason,
            "wanted": self.wanted,
            "runs": [_row_to_json(row) for row in self.rows],
            "agreeing": self.judgement.agreeing,
            "bound": self.judgement.bound,
            "against": self.against or None,
            "tolerance": asdict(self.tolerance) if self.tolerance else None,
            "reprobox": record.reprobox if record else None,
            "image_digest": record.image_digest if record else None,
            "spec_digest": record.spec_digest if record else None,
            "lock_digest": record.lock_digest if record else None,
            "seed": record.seed if record else None,
            "level": record.level if record else None,
            "comparisons": [name_non_finite(one.to_json()) for one in self.comparisons],
            "first_stage": self.first_stage or None,
            "first_step": self.first_step or None,
            "suspects": [asdict(one) for one in self.suspects],
            "notes": list(self.notes),
            "cost": _cost_to_json(self.cost, record) if self.cost and record else None,
            "cpu": self.cpu or None,
            "promises": [asdict(one) for one in self.promises],
            "gpus": {"used": self.gpus, "promise": GPU_PROMISE} if self.gpus else None,
            "contributions": [{"run": run, **asdict(one), "meaning": MEANING} for run, one in self.contributions],
        }


def _row_to_json(row: Row) -> JsonObject:
    return {
        "run": row.record.id,
        "seconds": row.record.seconds,
        "exit_code": row.record.exit_code,
        "metrics": row.record.metrics,
        "outputs": dict(row.outputs),
        "unread": {one.path: one.what for one in row.unread},
        "digest": row.digest,
    }


def _cost_to_json(cost: Cost, record: RunRecord) -> JsonObject:
    return {
        "ratio": cost.ratio,
        "ratios": list(cost.ratios),
        "seconds": list(cost.seconds),
        "seconds_off": list(cost.seconds_off),
        "distinct_off": cost.distinct_off,
        "cheaper": list(suggest_cheaper(cost, record)),
    }
