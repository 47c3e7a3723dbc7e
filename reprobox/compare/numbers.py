"""Say how far apart two arrays are: how many elements, how much, where first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reprobox.compare.model import Difference, NotComparable, NumberDifference, Tolerance, make_difference
from reprobox.compare.opened import pair_blocks
from reprobox.compare.parts import Numbers
from reprobox.languages import Reason, make_reason

Array = NDArray[np.generic]
_BLOCK = 1 << 22
"""Bytes of an array that are looked at at once; NumPy makes some ten arrays of this size on the way."""
_LARGEST_ITEM = 1 << 16
_MOST_STEPS = 10_000
"""More of them tell a person nothing."""
_OTHER_TYPES = {
    "bfloat16": "<u2",
    **dict.fromkeys(("float8_e4m3", "float8_e5m2", "qint8", "quint8", "quint4x2", "quint2x4"), "|V1"),
    "qint32": "<V4",
}
"""Types that NumPy has not."""
_UNSIGNED = {2: "<u2", 4: "<u4", 8: "<u8"}


@dataclass
class Tally:
    """Adds up differences as blocks of two arrays go by."""

    tolerance: Tolerance
    differing: int = 0
    beyond: int = 0
    max_absolute: float = 0.0
    max_relative: float = 0.0
    max_ulp: int | None = 0
    """``None``: it means nothing here."""
    first: int | None = None

    def add(self, a: Array, b: Array, start: int) -> None:
        """Look at the elements ``start`` … of both arrays, which have one type."""
        differ = _find_differing(a, b)
        where = np.flatnonzero(differ)
        if not where.size:
            return
        if self.first is None:
            self.first = start + int(where[0])
        self.differing += int(where.size)
        self._measure(a[where], b[where])

    def add_measured(self, found: NumberDifference, place: int) -> None:
        """Add one difference that was measured elsewhere; there are no steps between such numbers."""
        if self.first is None:
            self.first = place
        self.differing += 1
        self.beyond += found.beyond
        self.max_absolute = max(self.max_absolute, found.max_absolute)
        self.max_relative = max(self.max_relative, found.max_relative)
        self.max_ulp = None

    def _measure(self, a: Array, b: Array) -> None:
        exact = a.dtype.kind != "f"
        with np.errstate(all="ignore"):
            # A longdouble's neighbours are one float.
            wide: type[np.floating[Any]] = np.longdouble if a.dtype.kind == "f" and a.dtype.itemsize > 8 else np.float64
            x, y = a.astype(wide), b.astype(wide)
            absolute = np.abs(x - y)
            if exact:
                absolute = np.maximum(absolute, 1.0)  # beyond 2**53 the difference may have been rounded away
            absolute[np.isnan(absolute)] = np.inf  # a number on one side only
            scale = np.abs(x)
            relative = np.where(absolute == 0, 0.0, absolute / scale)
            relative[np.isnan(relative)] = np.inf
            allowed = self.tolerance.absolute + self.tolerance.relative * np.where(np.isfinite(scale), scale, 0.0)
        self.beyond += int(np.count_nonzero((absolute > allowed) | exact))
        self.max_absolute = max(self.max_absolute, float(absolute.max()))
        self.max_relative = max(self.max_relative, float(relative.max()))
        self._measure_steps(a, b)

    def _measure_steps(self, a: Array, b: Array) -> None:
        steps = _count_steps(a, b)
        self.max_ulp = None if steps is None or self.max_ulp is None else max(self.max_ulp, steps)

    def result(self, compared: int, first: str) -> NumberDifference:
        """Return what all blocks came to."""
        return NumberDifference(
            compared, self.differing, self.beyond, self.max_absolute, self.max_relative, self.max_ulp, first
        )


def compare_numbers(name: str, one: Numbers, other: Numbers, tolerance: Tolerance) -> Difference | None:
    """Compare two arrays element by element; ``None`` when they are the same, NaN being the same as NaN."""
    if one.dtype != other.dtype:
        return make_difference(name, "type", one=one.dtype, other=other.dtype)
    if one.shape != other.shape:
        return make_difference(name, "shape", one=str(one.shape), other=str(other.shape))
    if one.order != other.order:
        return make_difference(name, "order")
    decoder = _Decoder(one.dtype)
    tally, unequal = Tally(tolerance), 0
    for start, a, b in _pair_elements(one, other, decoder):
        if decoder.numeric:
            tally.add(decoder.decode(a), decoder.decode(b), start * decoder.lanes)
        else:
            unequal += _tally_items(tally, a, b, decoder.size, start)
    if tally.first is None:
        return None
    first = _name_index(tally.first // decoder.lanes, one.shape, one.order)
    if not decoder.numeric:
        return make_difference(name, "elements", differing=unequal, count=one.count, first=first)
    numbers = tally.result(one.count * decoder.lanes, first)
    return Difference(name, (describe_numbers(numbers, first),), numbers)


def describe_numbers(numbers: NumberDifference, first: str | int, unit: str = "") -> Reason:
    """Return one sentence; ``unit`` is what ``first`` counts: "row", "line"."""
    steps = f", {numbers.max_ulp} ulp" if numbers.max_ulp is not None and numbers.max_ulp <= _MOST_STEPS else ""
    return make_reason(
        f"numbers_{unit}" if unit else "numbers",
        differing=numbers.differing,
        compared=numbers.compared,
        absolute=f"{numbers.max_absolute:.3g}",
        relative=f"{numbers.max_relative:.3g}{steps}",
        first=first,
    )


class _Decoder:
    """Makes NumPy arrays of a type's bytes."""

    def __init__(self, name: str) -> None:
        self._brain = name == "bfloat16"
        code = name.partition(" ")[0]  # behind a structure's size stand its fields
        try:
            self._dtype = np.dtype(_OTHER_TYPES.get(code, code))
        except (TypeError, ValueError, SyntaxError) as exc:
            raise NotComparable("no_number_type", type=repr(name[:80])) from exc
        self.size = self._dtype.itemsize
        if self._dtype.hasobject or not 0 < self.size <= _LARGEST_ITEM:
            raise NotComparable("array_type_unread", type=name[:80])
        self.numeric = self._dtype.kind in "biufc"
        self.lanes = 2 if self._dtype.kind == "c" else 1

    def decode(self, data: bytes) -> Array:
        """Return real numbers; a complex one is two of them."""
        array: Array = np.frombuffer(data, self._dtype)
        if self._brain:
            return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
        if array.dtype.kind == "c":
            return array.view(np.dtype(f"{array.dtype.byteorder}f{array.dtype.itemsize // 2}"))
        return array


def _pair_elements(one: Numbers, other: Numbers, decoder: _Decoder) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (index of the first element, bytes, bytes) of every block that is not the same in both."""
    size = max(1, _BLOCK // decoder.size) * decoder.size
    wanted = one.count * decoder.size
    position = 0
    for a, b in pair_blocks(one.pieces(), other.pieces(), size):
        if len(a) != len(b) or position + len(a) > wanted:
            break
        if a != b:
            yield position // decoder.size, a, b
        position += len(a)
    if position != wanted:
        raise NotComparable("array_short")


def _tally_items(tally: Tally, a: bytes, b: bytes, size: int, start: int) -> int:
    x, y = (np.frombuffer(data, np.uint8).reshape(-1, size) for data in (a, b))
    where = np.flatnonzero((x != y).any(axis=1))
    if where.size and tally.first is None:
        tally.first = start + int(where[0])
    return int(where.size)


def _find_differing(a: Array, b: Array) -> NDArray[np.bool_]:
    if a.dtype.kind != "f":
        return np.asarray(a != b)
    # 0.0 and -0.0 are equal to NumPy, and two runs that give one and the other are not the same.
    opposite_zeros = (a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b))
    return np.asarray(((a != b) & ~(np.isnan(a) & np.isnan(b))) | opposite_zeros)


def _count_steps(a: Array, b: Array) -> int | None:
    """Return the most floating-point numbers that lie between two elements."""
    unsigned = _UNSIGNED.get(a.dtype.itemsize)
    if a.dtype.kind != "f" or unsigned is None or bool(np.isnan(a).any() or np.isnan(b).any()):
        return None
    x, y = (_rank(one.astype(one.dtype.newbyteorder("<")).view(unsigned)) for one in (a, b))
    return int((np.maximum(x, y) - np.minimum(x, y)).max())


def _rank(bits: NDArray[np.unsignedinteger]) -> NDArray[np.uint64]:
    """Number the floating-point numbers from the lowest to the highest; both zeros get one number."""
    width = bits.dtype.itemsize * 8
    magnitude = bits.astype(np.uint64) & np.uint64((1 << (width - 1)) - 1)
    middle = np.uint64(1 << 63)
    negative = (bits.astype(np.uint64) >> np.uint64(width - 1)).astype(bool)
    return np.where(negative, middle - magnitude, middle + magnitude)


def _name_index(flat: int, shape: tuple[int, ...], order: str) -> str:
    if not shape:
        return "[]"
    index = []
    for size in reversed(shape) if order == "C" else shape:
        flat, place = divmod(flat, size)
        index.append(place)
    return str(index[::-1] if order == "C" else index)
