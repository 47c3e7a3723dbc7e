"""Many entries: a row each, in the order of what they claim and of what the judge found. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from reprobox.errors import BundleError
from reprobox.judging.terms import Contest

BATCH_SCHEMA = 1
REFUSED = "REFUSED"
NOT_JUDGED = "NOT JUDGED"
"""The judge's own machine failed, or was stopped: it says nothing about the entry."""
_COLUMNS = (
    "entry",
    "outcome",
    "metric",
    "claimed",
    "judged",
    "rank_claimed",
    "rank_judged",
    "seconds",
    "bundle",
    "file",
    "reason",
)


@dataclass(frozen=True)
class BatchRow:
    """One entry's line."""

    file: str
    """The bundle's file, by its name."""
    entry: str
    """The entry's own name; empty where the file was refused."""
    outcome: str
    """A verdict, or :data:`REFUSED`, or :data:`NOT_JUDGED`."""
    reason: str
    exit_code: int
    bundle: str = ""
    """Its digest."""
    metric: str = ""
    claimed: float | None = None
    judged: float | None = None
    rank_claimed: int | None = None
    rank_judged: int | None = None
    seconds: float | None = None
    kept: bool = False
    """Whether it had been judged before, under the same terms."""

    @property
    def moved(self) -> bool:
        """Whether the judge's score gives it another place."""
        return self.rank_claimed != self.rank_judged


def make_row(file: str, exit_code: int, answer: Mapping[str, Any], contest: Contest, *, kept: bool) -> BatchRow:
    """Return the row of what `judge --json` answered: a judgement, or an error."""
    error = answer.get("error")
    if isinstance(error, Mapping) or "verdict" not in answer:
        message = str(error.get("message", "")) if isinstance(error, Mapping) else "it ended without an answer"
        return BatchRow(file, "", REFUSED if exit_code == BundleError.exit_code else NOT_JUDGED, message, exit_code)
    score = _choose_score(answer, contest)
    return BatchRow(
        file=file,
        entry=str(answer["entry"]),
        outcome=str(answer["verdict"]),
        reason=str(answer["reason"]),
        exit_code=exit_code,
        bundle=str(answer["bundle"]),
        metric=str(score.get("metric", "")),
        claimed=_number(score.get("claimed")),
        judged=_number(score.get("judged")),
        seconds=_number(answer.get("seconds")),
        kept=kept,
    )


def _choose_score(answer: Mapping[str, Any], contest: Contest) -> Mapping[str, Any]:
    scores = [one for one in answer.get("scores") or () if isinstance(one, Mapping)]
    wanted = contest.metric.name if contest.metric else ""
    return next((one for one in scores if not wanted or one.get("metric") == wanted), {})


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def rank_rows(rows: Sequence[BatchRow], contest: Contest) -> tuple[BatchRow, ...]:
    """Fill in the places by the claimed and by the judge's scores, the best first; those without a score last.

    Without a metric that the contest names nobody is ranked, and the order stays.
    """
    if contest.metric is None:
        return tuple(rows)
    sign = 1 if contest.metric.higher_is_better else -1
    claimed = [sign * row.claimed for row in rows if row.claimed is not None]
    judged = [sign * row.judged for row in rows if row.judged is not None]
    ranked = [
        replace(row, rank_claimed=_place(row.claimed, sign, claimed), rank_judged=_place(row.judged, sign, judged))
        for row in rows
    ]
    return tuple(sorted(ranked, key=lambda row: (row.rank_judged or len(rows) + 1, row.rank_claimed or len(rows) + 1)))


def _place(score: float | None, sign: int, all_scores: Iterable[float]) -> int | None:
    return None if score is None else 1 + sum(other > sign * score for other in all_scores)


def format_batch(rows: Sequence[BatchRow], contest: Contest) -> bytes:
    """Return ``summary.json``."""
    values = {"schema_version": BATCH_SCHEMA, "contest": contest.name, "entries": [asdict(row) for row in rows]}
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def format_table(rows: Sequence[BatchRow]) -> bytes:
    """Return ``summary.csv``; no cell is one that a spreadsheet would compute."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_disarm(getattr(row, column)) for column in _COLUMNS])
    return stream.getvalue().encode("utf-8", "backslashreplace")


def _disarm(value: object) -> object:
    """Put a quote before what Excel and others take for a formula. https://owasp.org/www-community/attacks/CSV_Injection"""
    if isinstance(value, str):
        text = " ".join(value.split())
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return "" if value is None else value
