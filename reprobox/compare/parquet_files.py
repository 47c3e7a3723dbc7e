"""Parquet through PyArrow, column by column, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reprobox.compare.model import NotComparable
from reprobox.compare.names import escape_name, join_own
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Document, Mark, Numbers, Parts

_MOST_BYTES = 1 << 31
"""Of a file, unpacked, as it says itself."""
_MOST_CELLS = 1 << 28
"""Rows times columns: a kilobyte can say that one value is there a thousand million times."""
_ROWS = 1 << 16
"""That are read at once; of columns whose values have no length, fewer."""
_FEW_ROWS = 1 << 10
_DIGEST = 16
_NUMBERS = {
    "bool": "|b1",
    "halffloat": "<f2",
    "float": "<f4",
    "double": "<f8",
    **{kind: np.dtype(kind).str for kind in ("int8", "int16", "int32", "int64")},
    **{kind: np.dtype(kind).str for kind in ("uint8", "uint16", "uint32", "uint64")},
}
_MOMENTS = {
    "timestamp": "int64",
    "duration": "int64",
    "time64": "int64",
    "date64": "int64",
    "time32": "int32",
    "date32": "int32",
}
"""Kinds of times, whose unit stands behind, and the whole numbers that they are: Python's own reach no nanoseconds."""
_TEXTS = {"string", "large_string", "binary", "large_binary"}

Library = Any
Column = Any
"""What PyArrow returns."""


def read_parquet(file: Opened, parquet: Library) -> Document:
    """Read the columns one by one; its rows are read when they are compared."""
    table = parquet.ParquetFile(str(file.path), memory_map=True)
    _check_sizes(table.metadata)
    schema = table.schema_arrow
    texts = [field.name for field in schema if str(field.type) in _TEXTS]
    # A text that is there a million times is held once.
    reader = parquet.ParquetFile(str(file.path), memory_map=True, read_dictionary=texts)
    if len(set(schema.names)) < len(schema.names):
        raise NotComparable("columns_of_one_name")
    parts, rows = Parts(), table.metadata.num_rows
    for field in schema:
        name, kind = escape_name(field.name), str(field.type)
        moment = _MOMENTS.get(kind.partition("[")[0], "")
        number = moment or kind
        short = number in _NUMBERS or kind in _TEXTS or kind.startswith("dictionary")
        column = _Column(reader, field.name, _ROWS if short else _FEW_ROWS, moment)
        if moment:
            parts.add(join_own(name, "type"), Mark("the type", kind))
        if number in _NUMBERS:
            parts.add(name, Numbers(_NUMBERS[number], (rows,), column.read_numbers))
            parts.add(join_own(name, "missing"), Numbers("|b1", (rows,), column.read_missing))
        else:
            parts.add(join_own(name, "type"), Mark("the type", kind))
            parts.add(name, Numbers(f"|V{_DIGEST}", (rows,), column.read_digests))
    return parts.found


def _check_sizes(about: Library) -> None:
    groups = [about.row_group(index) for index in range(about.num_row_groups)]
    total = sum(group.total_byte_size for group in groups)
    if total > _MOST_BYTES:
        raise NotComparable("unpacks_to", bytes=total, most=_MOST_BYTES)
    cells = about.num_rows * about.num_columns
    values = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
    if max(cells, values) > _MOST_CELLS:
        raise NotComparable("cells_more", cells=max(cells, values), most=_MOST_CELLS)


class _Column:
    """Reads one column again and again."""

    def __init__(self, table: Library, name: str, rows: int, moment: str) -> None:
        self._table = table
        self._name = name
        self._rows = rows
        self._moment = moment

    def _read(self) -> Iterator[Column]:
        for batch in self._table.iter_batches(self._rows, columns=[self._name], use_threads=False):
            if batch.num_columns != 1:
                raise NotComparable("column_several")
            yield batch.column(0)

    def read_numbers(self) -> Iterator[bytes]:
        """Yield the numbers, 0 for those that are missing."""
        for column in self._read():
            numbers = column.view(self._moment) if self._moment else column
            whole = numbers.fill_null(False if str(numbers.type) == "bool" else 0)
            yield whole.to_numpy(zero_copy_only=False).tobytes()

    def read_missing(self) -> Iterator[bytes]:
        """Yield a truth value for each number: whether it is missing."""
        for column in self._read():
            yield column.is_null().to_numpy(zero_copy_only=False).tobytes()

    def read_digests(self) -> Iterator[bytes]:
        """Yield a digest of each value."""
        for column in self._read():
            if hasattr(column, "dictionary"):
                yield _digest_dictionary(column).tobytes()
            else:
                yield _digest_values(column.to_pylist()).tobytes()


def _digest_dictionary(column: Column) -> NDArray[np.void]:
    """Return the digests of values that are each held once, however many rows have them."""
    places = column.indices.cast("int64").fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)
    used, rows = np.unique(places, return_inverse=True)
    values = [column.dictionary[int(place)].as_py() if place < len(column.dictionary) else None for place in used]
    return _digest_values(values)[rows]


def _digest_values(values: list[object]) -> NDArray[np.void]:
    digests = (blake2b(repr(value).encode("utf-8", "surrogateescape"), digest_size=_DIGEST) for value in values)
    return np.frombuffer(b"".join(one.digest() for one in digests), f"|V{_DIGEST}")
