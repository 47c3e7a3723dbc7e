"""How a number spreads over runs with other seeds, and where one claimed value lies in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median, quantiles

_ENOUGH = 1e-13


@dataclass(frozen=True)
class Interval:
    """From … to …, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Spread:
    """What n values come to; what needs two of them is ``None`` for one."""

    n: int
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    mean: float
    sd: float | None
    """Of the sample, with n - 1."""
    mean_interval: Interval | None
    """Holds the mean over all seeds with the level's probability, if the values are normal."""
    prediction_band: Interval | None
    """Holds the value of one more seed with the level's probability, if the values are normal."""
    level: float
    range_level: float
    """The probability that one more value lies between minimum and maximum, whatever the distribution."""


@dataclass(frozen=True)
class Claim:
    """One claimed value among those of other seeds."""

    value: float
    below: int
    """Values smaller than it."""
    equal: int
    above: int
    deviations: float | None
    """Standard deviations from the mean; ``None`` where there is no spread."""
    inside: bool | None
    """Whether the prediction band holds it; ``None`` where there is none."""
    band_deviations: float | None
    """Half the band's width in standard deviations."""


def summarize(values: Sequence[float], level: float = 0.95) -> Spread:
    """Return the spread of at least one finite value."""
    n = len(values)
    ordered = sorted(values)
    if ordered[0] == ordered[-1]:
        # Rounding would make a mean beside them, and a spread of it.
        mean, sd = ordered[0], 0.0 if n > 1 else None
    else:
        mean = fmean(ordered)
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in ordered) / (n - 1))
    low, middle, high = quantiles(ordered, n=4, method="inclusive") if n > 1 else (ordered[0],) * 3
    return Spread(
        n=n,
        minimum=ordered[0],
        lower_quartile=low,
        median=median(ordered) if n > 1 else middle,
        upper_quartile=high,
        maximum=ordered[-1],
        mean=mean,
        sd=sd,
        mean_interval=None if sd is None else _around(mean, mean_half_width(n, level) * sd),
        prediction_band=None if sd is None else _around(mean, band_half_width(n, level) * sd),
        level=level,
        range_level=(n - 1) / (n + 1),
    )


def place_claim(value: float, values: Sequence[float], spread: Spread) -> Claim:
    """Return where ``value`` lies among ``values``, which must not hold it itself."""
    below, above = sum(one < value for one in values), sum(one > value for one in values)
    return Claim(
        value=value,
        below=below,
        equal=len(values) - below - above,
        above=above,
        deviations=(value - spread.mean) / spread.sd if spread.sd else None,
        inside=None if spread.prediction_band is None else value in spread.prediction_band,
        band_deviations=band_half_width(spread.n, spread.level) if spread.n > 1 else None,
    )


def mean_half_width(n: int, level: float) -> float:
    """Half the width of the mean's confidence interval, in standard deviations of the sample."""
    return student_quantile((1 + level) / 2, n - 1) / math.sqrt(n)


def band_half_width(n: int, level: float) -> float:
    """Half the width of the prediction band for one more value, in standard deviations of the sample."""
    return student_quantile((1 + level) / 2, n - 1) * math.sqrt(1 + 1 / n)


def student_quantile(probability: float, freedom: int) -> float:
    """Return Student's t below which ``probability`` of the distribution with ``freedom`` degrees lies.

    By bisection of the distribution function, which is the regularised incomplete beta function
    (Abramowitz and Stegun, 26.7.1 and 26.5.27).
    """
    if not 0 < probability < 1 or freedom < 1:
        raise ValueError("a quantile needs a probability between 0 and 1 and at least one degree of freedom")
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    low, high = 0.0, max(1.0, NormalDist().inv_cdf(probability))
    while student_distribution(high, freedom) < probability:
        low, high = high, high * 2
    while high - low > _ENOUGH * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_distribution(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def student_distribution(t: float, freedom: int) -> float:
    """Return the probability that Student's t with ``freedom`` degrees is at most ``t``."""
    tail = _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
    return 1 - tail if t > 0 else tail


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    # On this side of the mean the fraction converges fast; on the other, by symmetry.
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction, by Lentz's method."""
    c, d = 1.0, _invert(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _invert(1 + term * d)
            c = 1 + term / c if abs(c) > 1e-300 else 1 + term / 1e-300
            result *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return result


def _invert(value: float) -> float:
    return 1 / value if abs(value) > 1e-300 else 1e300


def _around(middle: float, half: float) -> Interval:
    return Interval(middle - half, middle + half)
