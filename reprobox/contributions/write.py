"""Contributions as the two files that :mod:`reprobox.contributions.read` reads: the same ones, the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from reprobox.contributions.absence import write_absence
from reprobox.contributions.meta import META_SCHEMA
from reprobox.contributions.model import Contribution, Contributions
from reprobox.contributions.table import COLUMNS


def format_table(found: Contributions) -> str:
    """Return ``contributions.csv``."""
    lines = [COLUMNS, *([_format_cell(row, name) for name in COLUMNS] for row in found.rows)]
    return "".join(map(_format_line, lines))


def format_meta(found: Contributions) -> str:
    """Return ``contributions.meta.json``, ``schema_version`` first and without what is not known."""
    meta = {
        "schema_version": META_SCHEMA,
        "status": found.status.value,
        "reason": found.reason,
        "sum_to_one": found.sum_to_one,
        "sign": found.sign,
        "library": found.library,
        "weights": found.weights,
    }
    kept = {key: value for key, value in meta.items() if value not in ("", None, {})}
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


def _format_line(cells: Sequence[str]) -> str:
    stream = io.StringIO(newline="")
    # What has a carriage return is quoted only where that ends the line, up to Python 3.12.
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().removesuffix("\r\n") + "\n"


def _format_cell(row: Contribution, name: str) -> str:
    value = getattr(row, name)
    if name == "seed" and value is None and row.no_seed:
        return write_absence(row.no_seed)
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
