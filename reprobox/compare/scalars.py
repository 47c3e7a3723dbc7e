"""Compare single values."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np

from reprobox.compare.decimals import measure_decimals
from reprobox.compare.model import Difference, NumberDifference, Tolerance, make_difference
from reprobox.compare.numbers import Tally
from reprobox.compare.parts import Scalar, describe_scalar


def compare_scalars(name: str, one: Scalar, other: Scalar, tolerance: Tolerance) -> Difference | None:
    """Compare two single values; whole numbers, texts and truth values have no tolerance."""
    if type(one) is type(other) and _are_same(one, other):
        return None
    found = make_difference(name, "values", one=describe_scalar(one), other=describe_scalar(other))
    if isinstance(one, float | Decimal) and isinstance(other, float | Decimal):
        return replace(found, numbers=_measure_pair(one, other, tolerance))
    return found


def _are_same(one: Scalar, other: Scalar) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return one == other


def _measure_pair(one: float | Decimal, other: float | Decimal, tolerance: Tolerance) -> NumberDifference:
    if Decimal in (type(one), type(other)) and math.isfinite(one) and math.isfinite(other):
        return measure_decimals(_make_exact(one), _make_exact(other), tolerance)
    tally = Tally(tolerance)
    tally.add(np.array([float(one)]), np.array([float(other)]), 0)
    return tally.result(1, "")


def _make_exact(value: float | Decimal) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))
