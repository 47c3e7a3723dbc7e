"""What is claimed: the scores, where they rank, and whether the result was there before it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reprobox.judging.identity import Entry
from reprobox.judging.judgement import Score
from reprobox.judging.scoring import find_metrics
from reprobox.judging.terms import Contest, Metric
from reprobox.languages import Reason, make_reason
from reprobox.metrics import is_measured, read_metrics
from reprobox.statistics import Interval, place_claim, summarize

CLAIM_FOLDER = "reprobox/claim"
_MOST_SCORES = 20
_ROUNDING = 1e-9
_LONGEST_NAME = 100


def read_claimed_metrics(contest: Contest, entry: Entry) -> dict[str, float]:
    """Return the claim's metrics: by the outputs that are there, and by the record where those have none."""
    recorded = {
        name: value for name, value in entry.claim.metrics.items() if is_measured(value) and len(name) <= _LONGEST_NAME
    }
    said = {**recorded, **read_metrics(entry.folder / CLAIM_FOLDER)}
    return find_metrics(contest, entry.folder / CLAIM_FOLDER, tuple(file.path for file in entry.claim.outputs), said)


def score_claim(
    contest: Contest,
    claimed: Mapping[str, float],
    judged: Mapping[str, float],
    fresh: Sequence[Mapping[str, float]] = (),
) -> tuple[Score, ...]:
    """Set the claimed scores beside the judge's and the band of fresh seeds: the contest's metric, or all shared."""
    shared = claimed.keys() & (judged or next(iter(fresh), {})).keys()
    names = [contest.metric.name] if contest.metric else sorted(shared)[:_MOST_SCORES]
    return tuple(_score(name, contest, claimed, judged, fresh) for name in names if name in claimed)


def _score(
    name: str,
    contest: Contest,
    claimed: Mapping[str, float],
    judged: Mapping[str, float],
    fresh: Sequence[Mapping[str, float]],
) -> Score:
    values = [one[name] for one in fresh if name in one]
    spread = summarize(values) if len(values) > 1 else None
    band = spread.prediction_band if spread else None
    placed = place_claim(claimed[name], values, spread) if spread else None
    score = judged.get(name)
    metric = contest.metric if contest.metric and contest.metric.name == name else None
    return Score(
        metric=name,
        computed=contest.labels is not None,
        claimed=claimed[name],
        judged=score,
        band=(band.low, band.high) if band else None,
        seeds=len(values),
        inside=placed.inside if placed else None,
        rank_claimed=_rank(claimed[name], metric, contest),
        rank_judged=None if score is None else _rank(score, metric, contest),
        median=spread.median if spread else None,
        sd=spread.sd if spread else None,
        seed_sensitive=_is_seed_sensitive(claimed[name], band, metric) if band else None,
    )


def _is_seed_sensitive(claimed: float, band: Interval, metric: Metric | None) -> bool:
    """Whether a claim is beyond what other seeds give, on the better side where that is known."""
    above, below = claimed > band.high, claimed < band.low
    if metric is None:
        return above or below
    return above if metric.higher_is_better else below


def _rank(score: float, metric: Metric | None, contest: Contest) -> int | None:
    """Return the place among the other entries, from 1; ``None`` where the contest ranks by something else."""
    if metric is None or not contest.leaderboard:
        return None
    others = contest.leaderboard.values()
    return 1 + sum(other > score if metric.higher_is_better else other < score for other in others)


def find_false_score(contest: Contest, scores: Sequence[Score]) -> Reason | None:
    """Return what is wrong with the score that the contest ranks by, where the content itself is as claimed."""
    tolerance = contest.tolerance
    relative, absolute = (tolerance.relative, tolerance.absolute) if tolerance else (_ROUNDING, 0.0)
    for one in scores if contest.metric else ():
        if one.judged is not None and abs(one.claimed - one.judged) > absolute + relative * abs(one.judged):
            values = {"claimed": f"{one.claimed:.6g}", "judged": f"{one.judged:.6g}"}
            return make_reason("score_differs", metric=one.metric, **values)
    return None


def list_copies(entry: Entry) -> list[Reason]:
    """Name the claimed outputs that the source already holds: they need no training to come out the same."""
    source = {file.sha256: file.path for file in entry.plan.source if file.size and not file.link}
    return [
        make_reason("copied", output=output.path, source=source[output.sha256])
        for output in entry.claim.outputs
        if output.sha256 in source
    ]
