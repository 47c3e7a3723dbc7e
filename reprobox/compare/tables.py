"""Compare tables of text column by column, row by row, without holding them in memory."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from reprobox.compare.decimals import measure_decimals, overflows, parse_decimal
from reprobox.compare.model import Difference, NotComparable, Tolerance, make_difference
from reprobox.compare.numbers import Tally, describe_numbers
from reprobox.compare.opened import Opened
from reprobox.compare.parts import describe_scalar
from reprobox.languages import Said, make_reason

_MOST_COLUMNS = 100_000
_AT_ONCE = 4096
_DELIMITERS = ",;\t|"
_WHOLE = re.compile(r"[-+]?\d+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)


@dataclass
class _Column:
    name: str
    tally: Tally
    texts: int = 0
    """Cells that differ and are no numbers, or whole ones."""
    first: Said = ()
    """The first of them."""
    waiting: list[tuple[int, float, float]] = field(default_factory=list)
    """Numbers not yet added up: NumPy is quick with many at once."""

    def add(self, row: int, a: str, b: str) -> None:
        """Look at two cells that are not the same text."""
        if (_WHOLE.fullmatch(a) and _WHOLE.fullmatch(b)) or not (_is_number(a) and _is_number(b)):
            self._add_texts(row, a, b)
            return
        x, y = float(a), float(b)
        if x == y and not self._are_equal(row, a, b):
            return
        self.waiting.append((row, x, y))
        if len(self.waiting) == _AT_ONCE:
            self.add_up()

    def _add_texts(self, row: int, a: str, b: str) -> None:
        self.texts += 1
        self.first = self.first or (make_reason("row", row=row, one=describe_scalar(a), other=describe_scalar(b)),)

    def _are_equal(self, row: int, a: str, b: str) -> bool:
        """Whether two cells that are one float are one number; add them if not."""
        x, y = parse_decimal(a), parse_decimal(b)
        if x is None or y is None:
            self._add_texts(row, a, b)
        elif x == y:
            return True
        else:
            self.add_up()
            self.tally.add_measured(measure_decimals(x, y, self.tally.tolerance), row)
        return False

    def add_up(self) -> None:
        """Add what is waiting to the tally; two ways to write one number are no difference."""
        begun = self.tally.first is not None
        if self.waiting:
            rows, x, y = zip(*self.waiting, strict=True)
            self.tally.add(np.array(x), np.array(y), 0)
            if not begun and self.tally.first is not None:
                self.tally.first = rows[self.tally.first]
        self.waiting.clear()

    def describe(self, rows: int) -> Difference | None:
        """Return what all rows came to."""
        self.add_up()
        if self.texts:
            cells = make_reason("cells", differing=self.texts + self.tally.differing, rows=rows)
            return Difference(self.name, (cells, *self.first))
        if self.tally.first is None:
            return None
        numbers = self.tally.result(rows, f"row {self.tally.first}")
        return Difference(self.name, (describe_numbers(numbers, self.tally.first, "row"),), numbers)


def _is_number(cell: str) -> bool:
    """Whether a cell is a number that there is a float for; a larger one is a text."""
    return _NUMBER.fullmatch(cell) is not None and not overflows(cell)


def compare_tables(one: Opened, other: Opened, tolerance: Tolerance) -> tuple[int, list[Difference]]:
    """Return how many columns there are and what differs in each; rows are counted from 1, the header is none."""
    delimiter = _find_delimiter(one)
    rows = zip_longest(_read_rows(one, delimiter), _read_rows(other, delimiter))
    header, headers = next(rows, ([], []))
    if header is None or headers is None or len(header) != len(headers):
        return 0, [make_difference("", "columns")]
    named = not any(_NUMBER.fullmatch(cell) for cell in (*header, *headers))
    if named and header != headers:
        return len(header), [_describe_headers(header, headers)]
    names = header if named else [f"column {index}" for index in range(1, len(header) + 1)]
    columns = [_Column(name, Tally(tolerance, max_ulp=None)) for name in names]
    if not named:
        _add_row(columns, 1, header, headers)
    return len(columns), _compare_rows(columns, rows, 0 if named else 1)


def _compare_rows(
    columns: list[_Column], rows: Iterator[tuple[list[str] | None, list[str] | None]], count: int
) -> list[Difference]:
    uneven: list[Difference] = []
    missing = [0, 0]
    for a, b in rows:
        count += 1
        if a is None or b is None:
            missing[b is None] += 1
        elif len(a) != len(columns) or len(b) != len(columns):
            if a != b and not uneven:
                sizes = {"one": len(a), "other": len(b), "columns": len(columns)}
                uneven.append(make_difference("", "row_cells", row=count, **sizes))
        else:
            _add_row(columns, count, a, b)
    if any(missing):
        which = "second" if missing[1] else "first"
        uneven.insert(0, make_difference("", f"rows_missing_{which}", missing=max(missing), rows=count))
    return [*uneven, *(found for column in columns if (found := column.describe(count)))]


def _add_row(columns: list[_Column], row: int, one: list[str], other: list[str]) -> None:
    if one == other:
        return
    for column, a, b in zip(columns, one, other, strict=True):
        if a != b:
            column.add(row, a, b)


def _describe_headers(header: list[str], headers: list[str]) -> Difference:
    if sorted(header) == sorted(headers):
        return make_difference("", "column_order")
    index = next(index for index, (a, b) in enumerate(zip(header, headers, strict=True), 1) if a != b)
    a, b = header[index - 1], headers[index - 1]
    return make_difference("", "column_name", column=index, one=describe_scalar(a), other=describe_scalar(b))


def _find_delimiter(file: Opened) -> str:
    head = next(file.lines(), "")
    return max(_DELIMITERS, key=head.count)


def _read_rows(file: Opened, delimiter: str) -> Iterator[list[str]]:
    """Yield the rows; one without anything is no row, but in a table of one column an empty cell."""
    columns = 0
    try:
        for row in csv.reader(file.lines(), delimiter=delimiter):
            if len(row) > _MOST_COLUMNS:
                raise NotComparable("columns_more", most=_MOST_COLUMNS)
            columns = columns or len(row)
            if row or columns == 1:
                yield row or [""]
    except csv.Error as exc:
        raise NotComparable("no_table", error=str(exc)) from exc
