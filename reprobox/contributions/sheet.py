"""A CSV or TSV file whose columns can be shuffled, the bytes of all other cells kept as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO

from reprobox.contributions.mistakes import quote
from reprobox.contributions.numbers import parse_number
from reprobox.errors import UsageError

_LONGEST_RECORD = 2**20
"""Bytes of one row: a quote that is never closed must not swallow the file."""
_EMPTY_LINE = [b""]
"""Its cells: no row, whatever the number of columns."""
_ENOUGH = 10
"""Rows from which it means something that no two values are the same."""
_KEY_NAME = re.compile(r"(^|[_ .-])(id|ids|idx|index|key|uid|uuid|guid|row|rowid|row_?number)$|^unnamed: 0$", re.I)
_QUOTED = re.compile(rb'"[^"]*"')
_CAMEL_KEY = re.compile(r"[a-z](Id|ID|Key|Index)$")


@dataclass(frozen=True)
class Sheet:
    """A table in a file: its first line names the columns."""

    path: Path
    delimiter: bytes
    columns: tuple[str, ...]
    rows: int


def open_sheet(path: Path) -> Sheet:
    """Look the whole file through; raise ``UsageError`` with the line that is no row of it."""
    try:
        with path.open("rb") as stream:
            first = stream.readline(_LONGEST_RECORD)
            delimiter = find_delimiter(path.name, first)
            stream.seek(0)
            records = _read_records(stream, delimiter, path)
            header = next(records, (1, [b""], b""))[1]
            columns = tuple(_name_column(cell, index) for index, cell in enumerate(header))
            _check_columns(path, columns, first)
            rows = _count_rows(records, len(columns), path)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if rows < 2:
        raise UsageError(f"{path} has {rows} rows below its header, and shuffling takes two")
    return Sheet(path, delimiter, columns, rows)


def read_cells(sheet: Sheet, wanted: Sequence[int]) -> dict[int, list[bytes]]:
    """Return the cells of some columns, by the column's number, as their bytes are."""
    found: dict[int, list[bytes]] = {index: [] for index in wanted}
    with sheet.path.open("rb") as stream:
        for number, cells, _ in _read_records(stream, sheet.delimiter, sheet.path):
            if number > 1 and cells != _EMPTY_LINE:
                for index in wanted:
                    found[index].append(cells[index])
    return found


def write_shuffled(sheet: Sheet, orders: Mapping[int, Sequence[int]], target: BinaryIO) -> None:
    """Copy the file, the columns in ``orders`` with the cells of other rows; every other byte stays."""
    cells_of = read_cells(sheet, tuple(orders))
    row = 0
    with sheet.path.open("rb") as stream:
        for number, cells, ending in _read_records(stream, sheet.delimiter, sheet.path):
            if number > 1 and cells != _EMPTY_LINE:
                for index, order in orders.items():
                    cells[index] = cells_of[index][order[row]]
                row += 1
            target.write(sheet.delimiter.join(cells) + ending)


def shuffle_rows(rows: int, seed: int, column: str, repeat: int) -> list[int]:
    """Return the numbers of the rows in an order that follows from the seed, the column's name and the repeat alone."""
    random = Random(f"{seed}/{repeat}/{column}")
    # Of a generator's methods this is the one whose numbers stay from version to version of Python.
    keys = [random.random() for _ in range(rows)]
    return sorted(range(rows), key=keys.__getitem__)


def find_danger(name: str, cells: Sequence[bytes]) -> str:
    """Say why shuffling a column may mean nothing: a key, or the order of the rows; "" where nothing speaks for it."""
    if _KEY_NAME.search(name) or _CAMEL_KEY.search(name):
        return "looks like a key by its name"
    values = [_read_value(cell) for cell in cells]
    if len(values) < _ENOUGH or len(set(values)) < len(values):
        return ""
    numbers = [parse_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    ordered = known if len(known) == len(values) else values
    if ordered == sorted(ordered) or ordered == sorted(ordered, reverse=True):
        return "is in order from the first row to the last"
    if len(known) < len(values) or all(number.is_integer() for number in known):
        return "has another value in every row, as keys have"
    return ""


def find_delimiter(name: str, first: bytes) -> bytes:
    """Return what stands between the cells of a table whose first line is known."""
    if name.lower().endswith((".tsv", ".tab")):
        return b"\t"
    bare = _QUOTED.sub(b"", first)
    return max((b",", b";", b"\t"), key=lambda one: (bare.count(one), first.count(one)))


def _read_records(stream: BinaryIO, delimiter: bytes, path: Path) -> Iterator[tuple[int, list[bytes], bytes]]:
    """Yield the line that a record starts in, its cells with their quotes, and its line end."""
    number = 0
    while line := stream.readline(_LONGEST_RECORD + 1):
        number += 1
        start, more = number, 0
        cells = _split(line, delimiter)
        while cells is None or len(line) > _LONGEST_RECORD:
            addition = stream.readline(_LONGEST_RECORD) if len(line) <= _LONGEST_RECORD else b""
            if not addition:
                hint = "cells that begin with a quote end with one, and quotes inside are doubled"
                raise UsageError(f"{path}:{start}: no end of this row within {_LONGEST_RECORD} bytes", hint=hint)
            line, more = line + addition, more + 1
            cells = _split(line, delimiter) if b'"' in addition else None
        number += more
        body, ending = _cut_ending(cells[-1])
        yield start, [*cells[:-1], body], ending


def _split(line: bytes, delimiter: bytes) -> list[bytes] | None:
    """Return the cells, the last with its line end; ``None`` where a quote is still open."""
    if b'"' not in line:
        return line.split(delimiter)
    cells: list[bytes] = []
    at = 0
    while True:
        end = _find_quote_end(line, at) if line.startswith(b'"', at) else at
        if end < 0:
            return None
        following = line.find(delimiter, end)
        if following < 0:
            return [*cells, line[at:]]
        cells.append(line[at:following])
        at = following + 1


def _find_quote_end(line: bytes, at: int) -> int:
    """Return where a quoted cell's content has ended, -1 where it has not."""
    at = line.find(b'"', at + 1)
    while at >= 0 and line.startswith(b'"', at + 1):
        at = line.find(b'"', at + 2)
    return at + 1 if at >= 0 else -1


def _cut_ending(cell: bytes) -> tuple[bytes, bytes]:
    body = cell.removesuffix(b"\n").removesuffix(b"\r") if cell.endswith(b"\n") else cell
    return body, cell[len(body) :]


def _count_rows(records: Iterator[tuple[int, list[bytes], bytes]], width: int, path: Path) -> int:
    rows = 0
    for number, cells, _ in records:
        if cells == _EMPTY_LINE:
            continue
        if len(cells) != width:
            raise UsageError(f"{path}:{number}: {len(cells)} cells, and the first line has {width}")
        rows += 1
    return rows


def _check_columns(path: Path, columns: tuple[str, ...], first: bytes) -> None:
    if b"\0" in first or first.startswith((b"\x1f\x8b", b"PAR1", b"PK")):
        raise UsageError(f"{path} is no CSV or TSV in UTF-8", hint="give the table as text, not compressed")
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}:1: column {quote(twice)} is there twice", hint="the first line names the columns")


def _name_column(cell: bytes, index: int) -> str:
    text = cell.removeprefix(b"\xef\xbb\xbf") if index == 0 else cell
    return _read_value(text) or f"column {index + 1}"


def _read_value(cell: bytes) -> str:
    if cell.startswith(b'"'):
        end = _find_quote_end(cell, 0)
        cell = cell[1 : end - 1].replace(b'""', b'"') + cell[end:]
    return cell.decode("utf-8", "replace").strip()
