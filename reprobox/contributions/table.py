"""``contributions.csv`` as rows of text: its columns, and what can be wrong with the file as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reprobox.contributions.mistakes import quote
from reprobox.spec.values import suggest

COLUMNS = (
    "feature",
    "importance",
    "std",
    "rank",
    "method",
    "importance_type",
    "data_split",
    "metric",
    "n_repeats",
    "seed",
    "model_id",
    "description",
)
"""All that there are, in the order in which they are written."""
NEEDED = ("feature", "importance")
MOST_ROWS = 100_000
_MOST_COLUMNS = 100

Report = Callable[[int, str, str], None]
"""Takes a line, what is wrong there, and a hint."""


@dataclass(frozen=True)
class Line:
    """One variable's cells by column, as they stand."""

    number: int
    """Of the line in the file, from 1."""
    cells: dict[str, str]


def parse_table(text: str, report: Report) -> tuple[Line, ...]:
    """Return the rows of a CSV with a header; report what does not belong there, and go on as far as that makes sense.

    A cell is only text here: a spreadsheet's formula in it stays what it is.
    """
    records = _read_records(text, report)
    number, header = next(records, (1, []))
    names = [name.strip() for name in header]
    if not _check_header(number, names, report):
        return ()
    lines: list[Line] = []
    for number, cells in records:
        if len(lines) == MOST_ROWS:
            report(number, f"more than {MOST_ROWS} rows", "leave out the variables that contribute least")
            break
        if len(cells) != len(names):
            report(number, f"{len(cells)} cells, and the header has {len(names)}", "")
            continue
        lines.append(Line(number, dict(zip(names, cells, strict=True))))
    return tuple(lines)


def _read_records(text: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of the line it starts in; empty lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as exc:
            report(number, f"is no CSV: {exc}", "quotes inside of a quoted cell are doubled")
            return
        if record is None:
            return
        if record:
            yield number, record


def _check_header(number: int, names: list[str], report: Report) -> bool:
    """Whether the rows below it can be read at all."""
    if len(names) > _MOST_COLUMNS:
        report(number, f"has {len(names)} columns", f"there are {', '.join(COLUMNS)}")
        return False
    known = {name.lower(): name for name in COLUMNS}
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            report(number, f"column {quote(name)} is none of {', '.join(COLUMNS)}", suggest(name[:40], known))
        elif names.count(name) > 1:
            report(number, f"column {name!r} is there {names.count(name)} times", "leave one of them")
    missing = [name for name in NEEDED if name not in names]
    for name in missing:
        report(number, f"column {name!r} is missing", "the first line names the columns")
    return not missing
