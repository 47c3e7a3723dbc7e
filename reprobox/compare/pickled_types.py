"""Types and shapes of NumPy's arrays, as pickles describe them."""

from __future__ import annotations

import re

from reprobox.compare.arrays import check_shape
from reprobox.compare.model import NotComparable
from reprobox.compare.pickle_values import Call, Sequence, Value

SIMPLE_TYPE = re.compile(r"([<>|=]?)([biufcSUVmM])(\d{1,5})")


def describe_type(value: Value) -> str:
    """Return the type that a pickled ``numpy.dtype`` stands for, as NumPy writes it."""
    if not isinstance(value, Call) or not isinstance(value.arguments, Sequence):
        raise NotComparable("an array in it has a type that cannot be read")
    code = value.arguments.items[0]
    order = value.state.items[1] if isinstance(value.state, Sequence) else "|"
    if not isinstance(code, str) or not isinstance(order, str):
        raise NotComparable("an array in it has a type that cannot be read")
    return ("<" if order == "=" else order) + code.lstrip("<>|=")


def item_size(dtype: str) -> int:
    """Return the bytes of one element."""
    match = SIMPLE_TYPE.fullmatch(dtype)
    if match is None:
        raise NotComparable(f"an array in it has the type {dtype[:40]!r}")
    return int(match[3]) * (4 if match[2] == "U" else 1)


def list_shape(value: Value) -> tuple[int, ...]:
    """Return the lengths of an array's axes."""
    shape = tuple(value.items) if isinstance(value, Sequence) else (value,)
    check_shape(shape)
    return shape
