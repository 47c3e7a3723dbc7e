"""Draw how a metric spreads over seeds: as lines of text, and as the geometry of a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reprobox.sweep import MetricSummary

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _MARGIN = 720, 260, 40
_BASE = 200
_DOT = 5.0
"""Radius."""


@dataclass(frozen=True)
class Dot:
    """One seed."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Span:
    """From one place to another."""

    x: float
    width: float


@dataclass(frozen=True)
class Picture:
    """Everything that a picture of one metric shows, in its units."""

    width: int
    height: int
    base: int
    """Where the axis is."""
    radius: float
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]
    median: float
    mean: Span | None
    band: Span | None
    claim: tuple[float, str] | None


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    length: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * self.length


def draw_picture(summary: MetricSummary, claimed_seed: int) -> Picture:
    """Return the picture of a metric: a dot for each seed, the band, the mean's interval, the median, the claim."""
    scale = _make_scale(summary, _MARGIN, _WIDTH - 2 * _MARGIN)
    spread, claim = summary.spread, summary.claim
    return Picture(
        width=_WIDTH,
        height=_HEIGHT,
        base=_BASE,
        radius=_DOT,
        dots=tuple(_stack_dots(summary, scale)),
        ticks=tuple((round(scale.place(tick), 2), format_value(tick)) for tick in choose_ticks(scale.low, scale.high)),
        median=round(scale.place(spread.median), 2),
        mean=_span(scale, spread.mean_interval.low, spread.mean_interval.high) if spread.mean_interval else None,
        band=_span(scale, spread.prediction_band.low, spread.prediction_band.high) if spread.prediction_band else None,
        claim=(round(scale.place(claim.value), 2), f"seed {claimed_seed}: {format_value(claim.value)}")
        if claim
        else None,
    )


def draw_lines(summary: MetricSummary, columns: int = 56) -> tuple[str, str]:
    """Return a histogram, and below it where band, median and claim are."""
    scale = _make_scale(summary, 0, columns - 1)
    counts = [0] * columns
    for _, value in summary.values:
        counts[round(scale.place(value))] += 1
    highest = max(counts)
    bars = "".join(_BARS[math.ceil(count / highest * (len(_BARS) - 1))] for count in counts)
    marks = [" "] * columns
    band = summary.spread.prediction_band
    if band:
        marks[round(scale.place(band.low))], marks[round(scale.place(band.high))] = "[", "]"
    marks[round(scale.place(summary.spread.median))] = "|"
    if summary.claim:
        marks[round(scale.place(summary.claim.value))] = "C"
    return bars, "".join(marks).rstrip()


def choose_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Return round numbers between two numbers: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [step * index for index in range(first, math.floor(high / step) + 1)]


def format_value(value: float) -> str:
    """Return a number with as many digits as tell a metric's values apart."""
    return f"{value:.6g}"


def _make_scale(summary: MetricSummary, start: float, length: float) -> _Scale:
    spread, claim = summary.spread, summary.claim
    values = [spread.minimum, spread.maximum]
    if spread.prediction_band:
        values += [spread.prediction_band.low, spread.prediction_band.high]
    if claim:
        values.append(claim.value)
    low, high = min(values), max(values)
    margin = (high - low) * 0.03
    if margin <= abs(low) * 1e-12:
        margin = abs(low) * 0.01 or 1.0
    return _Scale(low - margin, high + margin, start, length)


def _span(scale: _Scale, low: float, high: float) -> Span:
    return Span(round(scale.place(low), 2), round(scale.place(high) - scale.place(low), 2))


def _stack_dots(summary: MetricSummary, scale: _Scale) -> Iterator[Dot]:
    heights: dict[int, int] = {}
    most = max(_count_columns(summary, scale).values())
    # Where many seeds agree, dots overlap rather than leave the picture.
    step = min(2 * _DOT, (_BASE - 60) / most)
    for seed, value in sorted(summary.values, key=lambda item: (item[1], item[0])):
        column = _column(scale, value)
        heights[column] = heights.get(column, 0) + 1
        y = _BASE - _DOT - (heights[column] - 1) * step
        yield Dot(round(column * 2 * _DOT, 2), round(y, 2), f"seed {seed}: {format_value(value)}")


def _count_columns(summary: MetricSummary, scale: _Scale) -> dict[int, int]:
    counts: dict[int, int] = {}
    for _, value in summary.values:
        counts[_column(scale, value)] = counts.get(_column(scale, value), 0) + 1
    return counts


def _column(scale: _Scale, value: float) -> int:
    return round(scale.place(value) / (2 * _DOT))
