"""Conclude a sweep: the spread of each metric, and a picture of it beside the record."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from reprobox.errors import RunError
from reprobox.files import write_atomic
from reprobox.json_values import JsonObject
from reprobox.plot import draw_picture
from reprobox.sweep import MetricSummary, SweepRecord, choose_seeds, list_metrics, summarize_metric
from reprobox.templating import fill_template
from reprobox.verdict import judge_claim

_MOST_METRICS = 12
"""For which there are pictures where no metric is named."""


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep came to."""

    path: Path
    """Of the record."""
    record: SweepRecord
    seeds: tuple[int, ...]
    """Those that the statistics are of."""
    metrics: tuple[tuple[MetricSummary, Path], ...]
    """Each with its picture."""
    unmeasured: tuple[str, ...] = ()
    """Metrics that the claimed seed left, and no other."""

    @property
    def failed(self) -> tuple[int, ...]:
        """The seeds whose runs failed or left outputs out."""
        return tuple(seed for seed in self.seeds if self.record.find(seed) is None)

    @property
    def exit_status(self) -> int:
        """0, or that some seeds' runs failed."""
        return RunError.exit_code if self.failed else 0

    def to_json(self) -> JsonObject:
        """Return what ``sweep --json`` prints."""
        return {
            "record": str(self.path),
            "image_digest": self.record.image_digest,
            "claimed_seed": self.record.claimed_seed,
            "seeds": list(self.seeds),
            "failed": list(self.failed),
            "metrics": {
                summary.name: {
                    **asdict(summary.spread),
                    "values": {str(seed): value for seed, value in summary.values},
                    "claim": asdict(summary.claim) if summary.claim else None,
                    "verdict": judge_claim(summary.claim.inside, sparse=summary.sparse) if summary.claim else None,
                    "lacking": list(summary.lacking),
                    "picture": str(picture),
                }
                for summary, picture in self.metrics
            },
            "unmeasured": list(self.unmeasured),
        }


def conclude_sweep(path: Path, record: SweepRecord, seeds: int, metric: str) -> SweepOutcome:
    """Return what the first ``seeds`` seeds come to, for one metric or for all, and draw it."""
    chosen = choose_seeds(record.claimed_seed, seeds)
    names = (metric,) if metric else list_metrics(record)[:_MOST_METRICS]
    summaries = [summary for name in names if (summary := summarize_metric(record, name, chosen)) is not None]
    drawn = tuple((summary, _draw(path, summary, record)) for summary in summaries)
    found = {summary.name for summary in summaries}
    return SweepOutcome(path, record, chosen, drawn, tuple(name for name in names if name not in found))


def _draw(path: Path, summary: MetricSummary, record: SweepRecord) -> Path:
    # The name is the program's.
    safe = re.sub(r"[^\w.-]", "_", summary.name, flags=re.ASCII)[:60]
    target = path.with_name(f"{path.stem}-{safe}.svg")
    some = f"{summary.spread.n} of " if summary.lacking else ""
    title = f"{record.name}: {summary.name} over {some}{summary.seeds} seeds"
    write_atomic(target, fill_template("sweep.svg.j2", title=title, picture=draw_picture(summary, record.claimed_seed)))
    return target
