"""What venues ask for beyond the four headings, as data."""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.report.values import Count, Origin, Positive, Rate, Seconds, Sha256, Statement, Text, Trace


@dataclass(frozen=True)
class VerifiedRun:
    """One run of a verification."""

    run: Text
    seconds: Seconds
    exit_code: int
    digest: Sha256
    """Of all its outputs together."""


@dataclass(frozen=True)
class VerificationFacts:
    """What repeating the run came to."""

    origin: Origin
    trace: tuple[Trace, ...]
    id: Text
    verdict: Text
    reason: Text
    wanted: Positive
    agreeing: Count
    bound: Rate | None
    """With 95 % confidence the divergence rate is at most this."""
    against: str | None
    runs: tuple[VerifiedRun, ...]
    cost: float | None
    """Time at the level over time without determinism."""


@dataclass(frozen=True)
class SeedValue:
    """What one seed gave."""

    seed: Count
    value: float


@dataclass(frozen=True)
class SweptMetric:
    """How one metric spreads over other seeds."""

    name: Text
    n: Positive
    minimum: float
    median: float
    maximum: float
    mean: float
    mean_low: float | None
    """Of the 95 % confidence interval of the mean over all seeds."""
    mean_high: float | None
    sd: float | None
    band_low: float | None
    """Of the 95 % prediction band of one more seed."""
    band_high: float | None
    claimed: float | None
    """The value of the report's own seed."""
    inside: bool | None
    """Whether the band holds it."""
    values: tuple[SeedValue, ...]


@dataclass(frozen=True)
class SweepFacts:
    """What other seeds came to."""

    origin: Origin
    trace: tuple[Trace, ...]
    claimed_seed: Count
    seeds: Count
    metrics: tuple[SweptMetric, ...]


@dataclass(frozen=True)
class StageCost:
    """What one stage took."""

    name: Text
    seconds: Seconds
    peak_memory: Count | None
    """Bytes."""


@dataclass(frozen=True)
class Costs:
    """Time, memory and disk."""

    origin: Origin
    trace: tuple[Trace, ...]
    seconds: Seconds
    stages: tuple[StageCost, ...]
    output_bytes: Count
    download_bytes: Count
    """Of the locked packages."""
    gpu_memory: Count | None


@dataclass(frozen=True)
class Metrics:
    """The metrics that the run left."""

    origin: Origin
    trace: tuple[Trace, ...]
    values: dict[str, float]


@dataclass(frozen=True)
class MetricDefinitions:
    """What the metrics mean, as a person says."""

    origin: Origin
    trace: tuple[Trace, ...]
    texts: dict[str, Text]


@dataclass(frozen=True)
class ClaimedScore:
    """The score that a person claims."""

    origin: Origin
    trace: tuple[Trace, ...]
    metric: Text
    value: float
    where: str
    measured: float | None
    """The run's own metric of that name."""


@dataclass(frozen=True)
class Licence:
    """Under which terms others may use it."""

    origin: Origin
    trace: tuple[Trace, ...]
    code: Text | None
    model: Text | None
    data: Text | None


@dataclass(frozen=True)
class Network:
    """Whether the run could reach anything."""

    origin: Origin
    trace: tuple[Trace, ...]
    allowed: bool


@dataclass(frozen=True)
class Extra:
    """All of it."""

    verification: VerificationFacts | None
    sweep: SweepFacts | None
    costs: Costs
    metrics: Metrics
    definitions: MetricDefinitions | None
    claim: ClaimedScore | None
    licence: Licence | None
    network: Network
    background: Statement | None
    warnings: tuple[str, ...]
