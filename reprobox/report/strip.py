"""The geometry of a strip plot: one dot a seed on one axis, small enough for a phone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reprobox.plot import choose_ticks, format_value
from reprobox.report.document import Strip

_WIDTH, _HEIGHT, _MARGIN, _BASE, _RADIUS = 360, 120, 24, 88.0, 3.5
_TOP = 12.0


def draw_strip(metric: Mapping[str, Any]) -> Strip:
    """Return the picture of one metric of ``extra.sweep.metrics``."""
    values = [(one["seed"], one["value"]) for one in metric["values"]]
    marks = [metric[name] for name in ("band_low", "band_high", "claimed") if metric[name] is not None]
    low, high = _widen([value for _, value in values] + marks)

    def place(value: float) -> float:
        return round(_MARGIN + (value - low) / (high - low) * (_WIDTH - 2 * _MARGIN), 2)

    has_band = metric["band_low"] is not None and metric["band_high"] is not None
    left = place(metric["band_low"]) if has_band else 0.0
    return Strip(
        width=_WIDTH,
        height=_HEIGHT,
        base=_BASE,
        radius=_RADIUS,
        dots=tuple(_stack([(place(value), f"{seed}: {format_value(value)}") for seed, value in values])),
        ticks=tuple((place(tick), format_value(tick)) for tick in choose_ticks(low, high, 6)),
        median=place(metric["median"]),
        band=(left, round(place(metric["band_high"]) - left, 2)) if has_band else None,
        claim=place(metric["claimed"]) if metric["claimed"] is not None else None,
    )


def _widen(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.04
    if margin <= abs(low) * 1e-12:
        margin = abs(low) * 0.01 or 1.0
    return low - margin, high + margin


def _stack(places: list[tuple[float, str]]) -> Iterator[tuple[float, float, str]]:
    """Put dots that would cover each other on top of each other, closer where there are many."""
    columns: dict[int, list[str]] = {}
    for x, label in sorted(places):
        columns.setdefault(round(x / (2 * _RADIUS)), []).append(label)
    most = max(len(labels) for labels in columns.values())
    step = min(2 * _RADIUS, (_BASE - _RADIUS - _TOP) / most)
    for column, labels in sorted(columns.items()):
        for height, label in enumerate(labels):
            yield round(column * 2 * _RADIUS, 2), round(_BASE - _RADIUS - height * step, 2), label
