"""Keep what judging many entries came to: as JSON, as a table, and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reprobox.files import write_atomic
from reprobox.judging.batch import BatchRow, format_batch, format_table
from reprobox.judging.terms import Contest
from reprobox.templating import fill_template

_CLASSES = {
    "IDENTICAL": "good",
    "EQUIVALENT": "good",
    "CONSISTENT": "good",
    "DIFFERENT": "bad",
    "REFUSED": "bad",
    "NOT RUN": "bad",
}


SUMMARIES = ("summary.json", "summary.csv", "summary.html")
"""What is written beside the judgements of many."""


def write_summary(rows: Sequence[BatchRow], contest: Contest, out: Path) -> None:
    """Write :data:`SUMMARIES` into ``out``."""
    page = format_page(rows, contest).encode("utf-8", "backslashreplace")
    for name, data in zip(SUMMARIES, (format_batch(rows, contest), format_table(rows), page), strict=True):
        write_atomic(out / name, data)


def format_page(rows: Sequence[BatchRow], contest: Contest) -> str:
    """Return the page: one table, nothing from elsewhere, no script."""
    return fill_template(
        "judging/summary.html.j2",
        title=contest.name or "Judgements",
        counts=describe_counts(rows),
        metric=contest.metric.name if contest.metric else "",
        higher=contest.metric.higher_is_better if contest.metric else True,
        rows=rows,
        classes=_CLASSES,
    )


def describe_counts(rows: Sequence[BatchRow]) -> str:
    """Return how many entries there are of each outcome, "3 entries: 2 IDENTICAL, 1 REFUSED"."""
    counts = Counter(row.outcome for row in rows)
    named = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    return f"{len(rows)} {'entry' if len(rows) == 1 else 'entries'}: {named}"
