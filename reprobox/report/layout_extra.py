"""What stands below the four headings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from reprobox.report.cells import Reader, Show, show_flag, show_number, show_rate, show_seconds, show_size, show_text
from reprobox.report.document import Bar, Bars, Block, Paragraphs, Source, Spread
from reprobox.report.strip import draw_strip


def lay_out_extras(reader: Reader) -> Iterator[Block]:
    """Yield the blocks."""
    yield from _lay_out_verification(reader)
    yield from _lay_out_sweep(reader)
    yield from _lay_out_costs(reader)
    yield reader.mapping("metrics", "extra.metrics.values", "extra.metrics", show_number)
    if reader.find("extra.definitions") is None:
        yield reader.statement("definitions", "extra.definitions")
    else:
        yield reader.mapping("definitions", "extra.definitions.texts", "extra.definitions")
    if reader.find("extra.claim") is None:
        yield reader.statement("claim", "extra.claim")
    else:
        fields = (("metric", show_text), ("value", show_number), ("measured", show_number), ("where", show_text))
        yield reader.facts("claim", "extra.claim", fields)
    if reader.find("extra.licence") is None:
        yield reader.statement("licence", "extra.licence")
    else:
        yield reader.facts("licence", "extra.licence", [(name, show_text) for name in ("code", "model", "data")])
    yield reader.facts("network", "extra.network", (("allowed", show_flag),))
    yield reader.statement("background", "extra.background")
    if warnings := reader.find("extra.warnings"):
        yield reader.listing("warnings", "extra.metrics", warnings)


def _lay_out_verification(reader: Reader) -> Iterator[Block]:
    found = reader.find("extra.verification")
    if found is None:
        yield _say_none(reader, "verification")
        return
    fields = (
        ("verdict", show_text),
        ("wanted", show_text),
        ("agreeing", show_text),
        ("bound", show_rate),
        ("against", show_text),
        ("cost", show_number),
        ("reason", show_text),
    )
    yield reader.facts("verification", "extra.verification", fields)
    columns = (("run", show_text), ("seconds", show_seconds), ("exit_code", show_text), ("digest", show_text))
    yield reader.table("runs", "extra.verification.runs", columns, "extra.verification")
    if found["runs"]:
        yield _draw_runs(reader)


def _draw_runs(reader: Reader) -> Bars:
    """Return a bar for each run's time; runs whose outputs are not most runs' stand out."""
    runs = reader.find("extra.verification.runs")
    most = Counter(run["digest"] for run in runs).most_common(1)[0][0]
    longest = max(run["seconds"] for run in runs) or 1.0
    bars = tuple(
        Bar(
            label=f"{run['run']} · {run['digest'][:8]}",
            cell=reader.cell(f"extra.verification.runs.{index}.seconds", show_seconds),
            percent=round(100 * run["seconds"] / longest, 2),
            tone="" if run["digest"] == most else "bad",
        )
        for index, run in enumerate(runs)
    )
    source = reader.source("extra.verification")
    return Bars(reader.language["title.runs_picture"], source, bars, reader.language["caption.runs"])


def _lay_out_sweep(reader: Reader) -> Iterator[Block]:
    sweep = reader.find("extra.sweep")
    if sweep is None:
        yield _say_none(reader, "sweep")
        return
    yield reader.table("sweep", "extra.sweep.metrics", _SWEEP, "extra.sweep")
    for metric in sweep["metrics"]:
        key = "title.sweep_picture" if metric["n"] == sweep["seeds"] else "title.sweep_picture_of_some"
        title = reader.language[key].format(metric=metric["name"], n=metric["n"], seeds=sweep["seeds"])
        caption = reader.language["caption.sweep"].format(seed=sweep["claimed_seed"])
        yield Spread(title, reader.source("extra.sweep"), draw_strip(metric), caption)


_SWEEP = (
    ("name", show_text),
    ("n", show_text),
    ("median", show_number),
    ("mean", show_number),
    ("mean_low", show_number),
    ("mean_high", show_number),
    ("sd", show_number),
    ("minimum", show_number),
    ("maximum", show_number),
    ("band_low", show_number),
    ("band_high", show_number),
    ("claimed", show_number),
    ("inside", show_flag),
)


def _lay_out_costs(reader: Reader) -> Iterator[Block]:
    fields = (
        ("seconds", show_seconds),
        ("output_bytes", show_size),
        ("download_bytes", show_size),
        ("gpu_memory", show_size),
    )
    yield reader.facts("costs", "extra.costs", fields)
    columns = (("name", show_text), ("seconds", show_seconds), ("peak_memory", show_size))
    yield reader.table("stage_costs", "extra.costs.stages", columns, "extra.costs")
    stages = reader.find("extra.costs.stages")
    yield _draw_stages(reader, stages, "seconds", show_seconds)
    if all(stage["peak_memory"] is not None for stage in stages):
        yield _draw_stages(reader, stages, "peak_memory", show_size)


def _draw_stages(reader: Reader, stages: list[dict[str, Any]], field: str, show: Show) -> Bars:
    largest = max((stage[field] for stage in stages), default=0) or 1
    bars = tuple(
        Bar(
            stage["name"],
            reader.cell(f"extra.costs.stages.{index}.{field}", show),
            round(100 * stage[field] / largest, 2),
        )
        for index, stage in enumerate(stages)
    )
    return Bars(reader.language[f"title.{field}_picture"], reader.source("extra.costs"), bars)


def _say_none(reader: Reader, title: str) -> Paragraphs:
    words = reader.language["word.unrecorded"], reader.language[f"advice.{title}"]
    return Paragraphs(reader.language[f"title.{title}"], Source("", ""), (" — ".join(words),), known=False)
