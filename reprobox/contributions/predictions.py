"""Predictions and labels as columns of text; the program that left them is not trusted."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprobox.contributions.mistakes import quote
from reprobox.contributions.numbers import parse_number
from reprobox.contributions.regular import Unreadable, decode_text, read_regular
from reprobox.contributions.sheet import find_delimiter
from reprobox.errors import UsageError
from reprobox.spec.values import suggest

_LARGEST = 256 * 2**20
"""Bytes."""
_MOST_CELLS = 10_000_000
"""A cell takes some sixty bytes of memory, however empty it is."""
_MOST_COLUMNS = 10_000
_NAMES = ("prediction", "predictions", "predicted", "pred", "y_pred", "target", "label", "labels", "y", "y_true")
"""What the column of interest is called where nobody names one, the likeliest first."""


@dataclass(frozen=True)
class Values:
    """One column of a table, and the others beside it."""

    column: str
    values: tuple[str, ...]
    others: dict[str, tuple[str, ...]]


def read_values(path: Path, column: str) -> Values:
    """Read a CSV or TSV; ``column`` names the one that counts, "" leaves the choice to its name and place.

    A first line that has a number in it, and a first cell, is a row, and the columns are called 1, 2, … then.
    Raises ``UsageError``.
    """
    records = _read_records(path)
    header, rows = records[0], records[1:]
    # pandas calls an index "" and the columns of what has no names 0, 1, ….
    if header[0].strip() and any(parse_number(cell.strip()) is not None for cell in header):
        header, rows = [str(index) for index in range(1, len(header) + 1)], records
    names = [name.strip() for name in header]
    if not rows or len(set(names)) < len(names):
        raise UsageError(f"{path} has no rows" if not rows else f"{path}:1: a column is there twice")
    chosen = _choose(path, names, column)
    columns = {name: tuple(row[index] for row in rows) for index, name in enumerate(names)}
    return Values(chosen, columns.pop(chosen), columns)


def find_key(labels: Values, predictions: Values) -> str:
    """Return the column that ties rows together, the first of both files that has no value twice in either.

    "" where the rows go by their order: there is no such column, or one has the same values in the same order.
    """
    shared = [name for name in labels.others if name in predictions.others]
    keys = [name for name in shared if _is_key(labels.others[name]) and _is_key(predictions.others[name])]
    # A column with values twice may be the same in any order: a fold's number, or what is constant.
    if any(labels.others[name] == predictions.others[name] for name in keys):
        return ""
    return keys[0] if keys else ""


def pair_values(labels: Values, predictions: Values, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return labels and predictions of the same rows, by a key or by their order; raise ``UsageError``."""
    if not key:
        if len(labels.values) != len(predictions.values):
            raise UsageError(
                f"there are {len(labels.values)} labels and {len(predictions.values)} predictions",
                hint="both go by the order of their rows, or by a column that both have and that has no value twice",
            )
        return labels.values, predictions.values
    by_key = dict(zip(predictions.others[key], predictions.values, strict=True))
    missing = [one for one in labels.others[key] if one not in by_key]
    if missing:
        raise UsageError(f"{len(missing)} labels have no prediction, the first where {key} is {quote(missing[0])}")
    return labels.values, tuple(by_key[one] for one in labels.others[key])


def _is_key(values: Sequence[str]) -> bool:
    return len(set(values)) == len(values)


def _read_records(path: Path) -> list[list[str]]:
    try:
        data = read_regular(path, _LARGEST)
        if data is None:
            raise UsageError(f"{path} is not there")
        text = decode_text(data)
    except Unreadable as exc:
        raise UsageError(f"{path} {exc}", hint="it must be a CSV or TSV") from exc
    first = text.partition("\n")[0]
    delimiter = find_delimiter(path.name, first.encode()).decode()
    if text.count(delimiter) + text.count("\n") > _MOST_CELLS or first.count(delimiter) > _MOST_COLUMNS:
        raise UsageError(f"{path} has more cells than are read: {_MOST_CELLS}, in {_MOST_COLUMNS} columns")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        for record in reader:
            if record and records and len(record) != len(records[0]):
                raise UsageError(f"{path}:{reader.line_num}: {len(record)} cells, and the first line {len(records[0])}")
            records += [record] if record else []
    except csv.Error as exc:
        raise UsageError(f"{path}:{reader.line_num}: is no CSV: {exc}") from exc
    if not records:
        raise UsageError(f"{path} is empty")
    return records


def _choose(path: Path, names: Sequence[str], column: str) -> str:
    if column and column not in names:
        hint = suggest(column[:40], names) or f"it has {', '.join(map(quote, names[:20]))}"
        raise UsageError(f"{path} has no column {quote(column)}", hint=hint)
    by_name = {name.lower(): name for name in reversed(names)}
    return column or next((by_name[name] for name in _NAMES if name in by_name), names[-1])
