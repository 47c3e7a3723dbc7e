"""How far two arrays are apart, as far as samples of their values tell."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from reprobox.traces import Tensor

_FORMATS = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}
_BITS = {"float16": "h", "bfloat16": "h", "float32": "i", "float64": "q"}
"""Floating types -> the integers of the same size, whose order is that of the numbers."""

Number = float | int


@dataclass(frozen=True)
class Distance:
    """How two arrays of one type and shape differ."""

    size: int
    """Values in each array."""
    compared: int
    """Values that both samples hold."""
    differing: int
    """Those of them that are not the same."""
    max_abs: float | None
    max_rel: float | None
    """Relative to the larger of the two."""
    max_ulp: int | None
    """Floating numbers between the two, of their type."""
    sums: float | None
    """How far the sums of all values are apart."""


def measure_distance(a: Tensor, b: Tensor) -> Distance | None:
    """Return how far two fingerprints are apart; ``None`` where their values cannot be set against each other."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return None
    values_a, values_b = decode_sample(a.dtype, a.sample), decode_sample(b.dtype, b.sample)
    if values_a is None or values_b is None or len(values_a) != len(values_b):
        return None
    width = len(a.sample) // len(values_a) if values_a else 1
    # By their bits: a NaN is the same as itself, and minus zero is not zero.
    pairs = [
        (one, other, a.sample[start : start + width], b.sample[start : start + width])
        for one, other, start in zip(values_a, values_b, range(0, len(a.sample), width), strict=True)
        if a.sample[start : start + width] != b.sample[start : start + width]
    ]
    sums = abs(a.sum - b.sum) if a.sum is not None and b.sum is not None else None
    return Distance(
        size=a.size,
        compared=len(values_a),
        differing=len(pairs),
        max_abs=max((_subtract(one, other) for one, other, _, _ in pairs), default=None),
        max_rel=max((_divide(one, other) for one, other, _, _ in pairs), default=None),
        max_ulp=max((_count_between(a.dtype, x, y) for _, _, x, y in pairs), default=None)
        if a.dtype in _BITS
        else None,
        sums=sums,
    )


def decode_sample(dtype: str, sample: bytes) -> Sequence[Number] | None:
    """Return the numbers of a sample; ``None`` for a type whose values are no numbers."""
    if dtype == "bfloat16":
        if len(sample) % 2:
            return None
        # The upper half of a float32.
        sample = b"".join(b"\0\0" + sample[start : start + 2] for start in range(0, len(sample), 2))
        dtype = "float32"
    code = _FORMATS.get(dtype)
    if code is None or len(sample) % struct.calcsize("<" + code):
        return None
    return struct.unpack(f"<{len(sample) // struct.calcsize('<' + code)}{code}", sample)


def _subtract(a: Number, b: Number) -> float:
    difference = abs(float(a) - float(b))
    return math.inf if math.isnan(difference) else difference


def _divide(a: Number, b: Number) -> float:
    difference, scale = _subtract(a, b), max(abs(float(a)), abs(float(b)))
    if not math.isfinite(difference) or not math.isfinite(scale):
        return math.inf
    return difference / scale if scale else 0.0


def _count_between(dtype: str, a: bytes, b: bytes) -> int:
    return abs(_order(dtype, a) - _order(dtype, b))


def _order(dtype: str, bits: bytes) -> int:
    """Return an integer that grows with the number: the bits, turned round for the negative ones."""
    value: int = struct.unpack("<" + _BITS[dtype], bits)[0]
    lowest = -(1 << (8 * len(bits) - 1))
    return value if value >= 0 else lowest - value
