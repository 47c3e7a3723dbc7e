"""Say in words how a metric spreads over seeds, and what the claimed seed's value is among them."""

from __future__ import annotations

from collections.abc import Iterator

from reprobox.plot import draw_lines, format_value
from reprobox.statistics import Claim, Interval
from reprobox.streams import escape_unprintable
from reprobox.sweep import MetricSummary, SeedRun
from reprobox.verdict import Verdict, judge_claim

_MOST_METRICS = 4
_TOO_FEW = "fewer than half of the other seeds left such a value"


def describe_seed_run(run: SeedRun, metric: str, known: bool) -> str:
    """Return one line about a run, as it ends."""
    names = [metric] if metric else sorted(run.metrics)[:_MOST_METRICS]
    values = "  ".join(
        f"{escape_unprintable(name)}={format_value(run.metrics[name])}" for name in names if name in run.metrics
    )
    end = "" if run.complete else f"failed with exit code {run.exit_code}" if run.exit_code else "left outputs out"
    return f"seed {run.seed:<10} {values or end}  {'run before' if known else f'{run.seconds:.1f} s'}"


def describe_summary(summary: MetricSummary, claimed_seed: int) -> str:
    """Return a metric's statistics, its plot, and the claimed seed's place in it."""
    spread = summary.spread
    middle = f"median {format_value(spread.median)}   mean {format_value(spread.mean)}"
    bars, marks = draw_lines(summary)
    lines = [
        f"metric   {escape_unprintable(summary.name)}: {spread.n} seeds, the claimed one apart",
        *_describe_lacking(len(summary.lacking), summary.seeds),
        f"spread   {middle}" + ("" if spread.sd is None else f"   sd {format_value(spread.sd)}"),
        *_describe_interval("mean", spread.mean_interval, "95 % interval of the mean, if values are normal"),
        *_describe_interval(
            "band", spread.prediction_band, "95 % prediction band of one more seed, if values are normal"
        ),
        f"range    {format_value(spread.minimum)} … {format_value(spread.maximum)}"
        f"   holds one more seed with {100 * spread.range_level:.0f} %, whatever the distribution",
        f"plot     {bars}",
        f"         {marks}   [ band ]  | median  C claimed",
        *_describe_claim(summary, claimed_seed),
    ]
    return "\n".join(line.rstrip() for line in lines)


def describe_unmeasured(name: str, seeds: int) -> str:
    """Return what is to say of a metric that the claimed seed left, and no other."""
    lines = (
        f"metric   {escape_unprintable(name)}: only the claimed seed left such a value",
        *_describe_lacking(seeds, seeds),
        f"verdict  {Verdict.NOT_COMPARABLE} — {_TOO_FEW}",
    )
    return "\n".join(lines)


def _describe_lacking(lacking: int, seeds: int) -> Iterator[str]:
    if lacking:
        yield f"note     {lacking} of {seeds} seeds left no such value: they failed, or theirs is no number any more"


def _describe_interval(name: str, interval: Interval | None, what: str) -> Iterator[str]:
    if interval is not None:
        yield f"{name:8} {format_value(interval.low)} … {format_value(interval.high)}   {what}"


def _describe_claim(summary: MetricSummary, seed: int) -> Iterator[str]:
    spread, claim = summary.spread, summary.claim
    if spread.n > 1 and not spread.sd:
        same = format_value(spread.mean)
        yield f"note     every seed gave {same}: nothing in it is random, or the program seeds itself"
    if claim is None:
        yield f"claimed  seed {seed} left no such metric"
        return
    place = f"above {claim.below}, below {claim.above} of {spread.n}"
    deviations = "" if claim.deviations is None else f", {claim.deviations:+.2f} sd from the mean"
    yield f"claimed  seed {seed}: {format_value(claim.value)}, {place}{deviations}{_describe_band(claim)}"
    verdict = judge_claim(claim.inside, sparse=summary.sparse)
    if summary.sparse:
        yield f"verdict  {verdict} — {_TOO_FEW}"
    elif verdict:
        which = "inside" if claim.inside else "outside"
        yield f"verdict  {verdict} — the claimed value lies {which} the other seeds' prediction band"


def _describe_band(claim: Claim) -> str:
    if claim.inside is None:
        return ""
    if claim.deviations is None or claim.band_deviations is None:
        return "" if claim.inside else ": no other seed gives it"
    where = "inside" if claim.inside else "OUTSIDE"
    return f": {where} the band of ±{claim.band_deviations:.2f} sd"
