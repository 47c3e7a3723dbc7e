"""Recognise arrays of NumPy and joblib in what a pickle describes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reprobox.compare.arrays import name_order
from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Numbers, Part, Pieces
from reprobox.compare.pickle_values import Blob, Call, Global, Persistent, Sequence, Value
from reprobox.compare.pickled_types import SIMPLE_TYPE, describe_type, list_shape

_RECONSTRUCT = re.compile(r"numpy\.(_?core)\.(multiarray|_multiarray_umath) _reconstruct")
_SCALAR = re.compile(r"numpy\.(_?core)\.(multiarray|_multiarray_umath) scalar")
_FROM_BUFFER = re.compile(r"numpy\.(_?core)\.numeric _frombuffer")
_MOST_SHARED = 64
"""How many arrays of the file's size may look at bytes that others look at, together."""


class Arrays:
    """Finds the arrays of one file."""

    def __init__(self, file: Opened) -> None:
        self._file = file
        self._seen: set[int] = set()
        self._room = _MOST_SHARED * file.size

    def find(self, call: Call | Persistent) -> Part | None:
        """Return the array, or the single number of NumPy's, that a call would make; ``None`` for anything else."""
        if isinstance(call, Persistent) or not isinstance(call.function, Global):
            return None
        name = call.function.name
        if _RECONSTRUCT.fullmatch(name) and isinstance(call.state, Sequence):
            _, shape, dtype, fortran, data = call.state.items
            return self._make_array(describe_type(dtype), list_shape(shape), bool(fortran), data)
        if _SCALAR.fullmatch(name):
            dtype, data = call.arguments.items
            return self._make_array(describe_type(dtype), (), False, data)
        if _FROM_BUFFER.fullmatch(name):
            data, dtype, shape, order = call.arguments.items
            return self._make_array(describe_type(dtype), list_shape(shape), order == "F", data)
        if isinstance(call.attached, Blob):
            wanted = dict(call.state.items)
            shape, fortran = list_shape(wanted["shape"]), wanted.get("order") == "F"
            return self._make_array(describe_type(wanted["dtype"]), shape, fortran, call.attached)
        return None

    def _make_array(self, dtype: str, shape: tuple[int, ...], fortran: bool, data: Value) -> Part | None:
        if isinstance(data, str):
            data = data.encode("latin-1")  # protocol 2 writes bytes so
        if isinstance(data, Call):  # … as the argument of _codecs.encode
            text = data.arguments.items[0]
            data = text.encode("latin-1") if isinstance(text, str) else None
        if not isinstance(data, bytes | Blob):
            return None  # of Python objects: what it holds is looked at one by one
        if SIMPLE_TYPE.fullmatch(dtype) is None:
            raise NotComparable("array_type", type=repr(dtype[:40]))
        if isinstance(data, Blob):
            self._count_shared(data)
        return Numbers(dtype, shape, read_bytes(data, self._file), name_order(fortran, shape))

    def _count_shared(self, data: Blob) -> None:
        """Raise where many arrays look at the same bytes: each is read on its own."""
        if data.offset in self._seen:
            self._room -= data.size
        self._seen.add(data.offset)
        if self._room < 0:
            raise NotComparable("arrays_shared")


def read_bytes(data: bytes | Blob, file: Opened) -> Pieces:
    """Return what yields bytes, wherever they are."""

    def pieces() -> Iterator[bytes]:
        return file.pieces(data.offset, data.size) if isinstance(data, Blob) else iter((data,))

    return pieces
