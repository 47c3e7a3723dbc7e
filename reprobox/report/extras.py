"""From verification, sweep and run record to what venues ask for beyond the four headings."""

from __future__ import annotations

from reprobox.lock import DebianBase, Sdist, Wheel
from reprobox.metrics import is_measured
from reprobox.plan import Plan
from reprobox.report.extra_model import (
    ClaimedScore,
    Costs,
    Extra,
    Licence,
    MetricDefinitions,
    Metrics,
    Network,
    SeedValue,
    StageCost,
    SweepFacts,
    SweptMetric,
)
from reprobox.report.sources import Sources
from reprobox.report.values import Origin
from reprobox.sweep import MetricSummary, SweepRecord, list_metrics, summarize_metric

_MOST_METRICS = 12


def describe_extras(sources: Sources) -> Extra:
    """Return the section."""
    record, run = sources.record, sources.run_file
    metrics = {name: value for name, value in sorted(record.metrics.items()) if is_measured(value)}
    return Extra(
        verification=sources.verification,
        sweep=_describe_sweep(sources),
        costs=_describe_costs(sources),
        metrics=Metrics(Origin.MEASURED, run.trace("metrics"), metrics),
        definitions=_describe_definitions(sources),
        claim=_describe_claim(sources, metrics),
        licence=_describe_licence(sources),
        network=Network(Origin.MEASURED, run.trace("network"), record.network),
        background=sources.declared.state("background"),
        warnings=tuple(dict.fromkeys((*record.warnings, *record.runtime.warnings))),
    )


def _describe_sweep(sources: Sources) -> SweepFacts | None:
    sweep, file = sources.sweep, sources.sweep_file
    if sweep is None or file is None:
        return None
    seeds = [run.seed for run in sweep.runs if run.complete and run.seed != sweep.claimed_seed]
    if not seeds:
        return None
    found = (summarize_metric(sweep, name, seeds) for name in list_metrics(sweep)[:_MOST_METRICS])
    metrics = tuple(_describe_metric(summary, sweep) for summary in found if summary)
    return SweepFacts(Origin.MEASURED, file.trace("runs"), sweep.claimed_seed, len(seeds), metrics)


def _describe_metric(summary: MetricSummary, sweep: SweepRecord) -> SweptMetric:
    spread, claim = summary.spread, summary.claim
    band = spread.prediction_band
    return SweptMetric(
        name=summary.name,
        n=spread.n,
        minimum=spread.minimum,
        median=spread.median,
        maximum=spread.maximum,
        mean=spread.mean,
        mean_low=spread.mean_interval.low if spread.mean_interval else None,
        mean_high=spread.mean_interval.high if spread.mean_interval else None,
        sd=spread.sd,
        band_low=band.low if band else None,
        band_high=band.high if band else None,
        claimed=claim.value if claim else None,
        inside=claim.inside if claim and not summary.sparse else None,
        values=tuple(SeedValue(seed, value) for seed, value in summary.values),
    )


def _describe_costs(sources: Sources) -> Costs:
    record = sources.record
    return Costs(
        origin=Origin.MEASURED,
        trace=(*sources.run_file.trace("stages", "outputs"), *sources.lock_file.trace("wheels")),
        seconds=record.seconds,
        stages=tuple(StageCost(one.name, one.seconds, one.peak_memory) for one in record.stages),
        output_bytes=sum(one.size for one in record.outputs),
        download_bytes=_count_downloads(sources.plan),
        gpu_memory=None,
    )


def _count_downloads(plan: Plan) -> int:
    debian = (*plan.system, *(plan.base.packages if isinstance(plan.base, DebianBase) else ()))
    python: tuple[Wheel | Sdist, ...] = (*plan.wheels, *plan.sdists)
    return sum(one.size for one in python) + sum(one.size for one in debian)


def _describe_definitions(sources: Sources) -> MetricDefinitions | None:
    said = sources.declared.declared.metrics
    return MetricDefinitions(Origin.DECLARED, sources.declared.trace("metrics"), dict(said)) if said else None


def _describe_claim(sources: Sources, metrics: dict[str, float]) -> ClaimedScore | None:
    claim = sources.declared.declared.claim
    if claim is None:
        return None
    measured = metrics.get(claim.metric)
    trace = sources.declared.trace("claim")
    if measured is not None:
        trace = (*trace, *sources.run_file.trace(f"metrics.{claim.metric}"))
    return ClaimedScore(Origin.DECLARED, trace, claim.metric, claim.value, claim.where, measured)


def _describe_licence(sources: Sources) -> Licence | None:
    said = sources.declared.declared.licence
    if said is None:
        return None
    return Licence(Origin.DECLARED, sources.declared.trace("licence"), said.code, said.model, said.data)
