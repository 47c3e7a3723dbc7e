"""Runs with fresh seeds: whether a claim is one of theirs, and how far two of them agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from reprobox.fleet import Ran
from reprobox.judging.agreement import choose_predictions, find_agreement
from reprobox.judging.claim import CLAIM_FOLDER
from reprobox.judging.identity import Entry
from reprobox.judging.judgement import Agreement, Score
from reprobox.judging.terms import Contest
from reprobox.languages import Reason, make_reason
from reprobox.verdict import Verdict

_FEWEST = 3
"""Values that there must be where some runs left none: a band of two holds nearly everything."""


@dataclass(frozen=True)
class SeedRuns:
    """What the fresh seeds left."""

    made: tuple[Ran, ...]

    @property
    def complete(self) -> tuple[Ran, ...]:
        """Those that ended well."""
        return tuple(one for one in self.made if not one[1].failed)

    def _are_few(self, count: int) -> bool:
        """Whether so many seeds left a value where not all did."""
        return count < len(self.made) and count < max(_FEWEST, len(self.made) // 2 + 1)

    def judge(self, scores: Sequence[Score]) -> tuple[Verdict, Reason]:
        """Judge the claim by all metrics that have a band."""
        placed = [score for score in scores if score.inside is not None and not self._are_few(score.seeds)]
        if not placed:
            return Verdict.DIFFERENT, make_reason("too_few_seeds", seeds=len(self.complete))
        outside = [score for score in placed if not score.inside]
        chosen = (outside or placed)[0]
        assert chosen.band is not None
        low, high = chosen.band
        said = make_reason(
            "claim_outside" if outside else "claim_inside",
            metric=chosen.metric,
            claimed=f"{chosen.claimed:.6g}",
            seeds=chosen.seeds,
            low=f"{low:.6g}",
            high=f"{high:.6g}",
        )
        return (Verdict.DIFFERENT if outside else Verdict.CONSISTENT), said


def measure_agreement(entry: Entry, contest: Contest, judged: Path) -> Agreement | None:
    """Return how many rows of the predictions of the run in ``judged`` are as claimed; ``None`` without predictions."""
    path = choose_predictions(contest.predictions, [file.path for file in entry.claim.outputs])
    rate = find_agreement(path, entry.folder / CLAIM_FOLDER, judged) if path else None
    return None if rate is None else Agreement(path, rate, None)


def compare_seeds(path: str, trained: Sequence[Ran]) -> float | None:
    """Return the mean share of rows that the first run's predictions share with each other's; ``None`` with none."""
    runs = [folder for folder, _ in trained]
    rates = [rate for one in runs[1:] if (rate := find_agreement(path, runs[0], one)) is not None]
    return fmean(rates) if rates else None


def leave_the_same(trained: Sequence[Ran]) -> bool:
    """Whether runs with several seeds left the very same."""
    return len(trained) > 1 and all(record.outputs == trained[0][1].outputs for _, record in trained)
