"""Types and shapes of NumPy's arrays, as pickles describe them."""

from __future__ import annotations

import re

from reprobox.compare.arrays import check_shape
from reprobox.compare.model import NotComparable
from reprobox.compare.pickle_values import Call, Sequence, Table, Value

SIMPLE_TYPE = re.compile(r"([<>|=]?)([biufcSUVmM])(\d{1,5})(\[[a-zA-Z0-9]{1,8}\]| \(.*\))?", re.DOTALL)
_LONGEST_TYPE = 10_000
_MOST_DEEP = 20


def describe_type(value: Value, depth: int = _MOST_DEEP) -> str:
    """Return the type that a pickled ``numpy.dtype`` stands for, as NumPy writes it, a structure's fields behind."""
    if not isinstance(value, Call) or not isinstance(value.arguments, Sequence) or depth == 0:
        raise NotComparable("array_type_unreadable")
    code = value.arguments.items[0]
    state = value.state.items if isinstance(value.state, Sequence) else ["", "|"]
    order = state[1]
    if not isinstance(code, str) or not isinstance(order, str):
        raise NotComparable("array_type_unreadable")
    name = ("<" if order == "=" else order) + code.lstrip("<>|=")
    if code[-2:] in ("m8", "M8"):
        return name + _describe_unit(state)
    return name + _describe_fields(state, depth)


def _describe_unit(state: list[Value]) -> str:
    """Return what a time counts: "[s]", "[25us]"."""
    if len(state) < 9:
        return ""
    unit, count, parts, *_ = state[8].items[1].items
    if isinstance(unit, Call):  # … as the argument of _codecs.encode
        unit = unit.arguments.items[0]
    unit = unit.decode("latin-1") if isinstance(unit, bytes) else str(unit)
    if unit == "generic":
        return ""
    return f"[{count if count != 1 else ''}{unit}{f'/{parts}' if parts != 1 else ''}]"


def _describe_fields(state: list[Value], depth: int) -> str:
    """Return what lies where in a structure, or of what its elements are arrays; nothing for a simple type."""
    inner, names, fields = [*state, None, None, None][2:5]
    said = ""
    if isinstance(inner, Sequence):
        base, shape = inner.items
        said = f"{describe_type(base, depth - 1)} of {list_shape(shape)}"
    elif isinstance(names, Sequence) and isinstance(fields, Table):
        found = dict(fields.items)
        for name in names.items:
            dtype, place, *_ = found[name].items
            said += f"{name!r}: {describe_type(dtype, depth - 1)} at {place}, "
            if len(said) > _LONGEST_TYPE:
                raise NotComparable("array_type_long")
    return f" ({said.removesuffix(', ')})" if said else ""


def item_size(dtype: str) -> int:
    """Return the bytes of one element."""
    match = SIMPLE_TYPE.fullmatch(dtype)
    if match is None:
        raise NotComparable("array_type", type=repr(dtype[:40]))
    return int(match[3]) * (4 if match[2] == "U" else 1)


def list_shape(value: Value) -> tuple[int, ...]:
    """Return the lengths of an array's axes."""
    shape = tuple(value.items) if isinstance(value, Sequence) else (value,)
    check_shape(shape)
    return shape
