"""Read the contributions that a run left; whoever wrote them is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from reprobox.contributions.meta import Meta, parse_meta
from reprobox.contributions.mistakes import Mistakes
from reprobox.contributions.model import Contribution, Contributions, Status
from reprobox.contributions.regular import Unreadable, decode_text, read_regular
from reprobox.contributions.rows import build_rows
from reprobox.contributions.table import parse_table

TABLE = "contributions.csv"
META = "contributions.meta.json"
"""What the two files are called, in ``/output`` and wherever they are kept."""
_LARGEST_TABLE = 16 * 2**20
_LARGEST_META = 2**20
"""Bytes."""
T = TypeVar("T")


def read_contributions(csv: Path, meta: Path | None) -> Contributions:
    """Return what the two files say; ``meta`` may be absent, and then so much more stands in the table.

    Raises one ``UsageError`` that names every mistake with its file and line.
    """
    mistakes = Mistakes()
    table = _read(csv, _LARGEST_TABLE, mistakes)
    text = _read(meta, _LARGEST_META, mistakes) if meta else None
    known = Meta()
    if meta and text is not None:
        known = _decode(meta, text, mistakes, lambda one: parse_meta(one, partial(mistakes.add, str(meta), 0)), known)
    rows: tuple[Contribution, ...] = ()
    if table is not None:
        report = partial(mistakes.add, str(csv))
        rows = _decode(csv, table, mistakes, lambda one: build_rows(parse_table(one, report), known, report), rows)
    if not mistakes.blame(str(csv)):
        _check_status(csv, table, known, rows, mistakes)
    mistakes.check("docs/contributions.md has the columns and an example")
    return Contributions(
        status=known.status,
        reason=known.reason,
        rows=rows,
        weights=known.weights,
        sum_to_one=known.sum_to_one,
        sign=known.sign,
        library=known.library,
        sha256=sha256(table).hexdigest() if table is not None else "",
    )


def _read(path: Path, most: int, mistakes: Mistakes) -> bytes | None:
    try:
        return read_regular(path, most)
    except Unreadable as exc:
        mistakes.add(str(path), 0, str(exc))
        return None


def _decode(path: Path, data: bytes, mistakes: Mistakes, parse: Callable[[str], T], default: T) -> T:
    try:
        text = decode_text(data)
    except Unreadable as exc:
        mistakes.add(str(path), 0, str(exc))
        return default
    return parse(text)


def _check_status(
    csv: Path, table: bytes | None, meta: Meta, rows: tuple[Contribution, ...], mistakes: Mistakes
) -> None:
    if meta.status is not Status.COMPUTED and rows:
        mistakes.add(str(csv), 0, f"has {len(rows)} rows, and {META} says {meta.status}", "leave one of them out")
    elif meta.status is Status.COMPUTED and table is None:
        hint = f'where there are none, {META} says {{"status": "not_applicable", "reason": "…"}}'
        mistakes.add(str(csv), 0, "is not there", hint)
    elif meta.status is Status.COMPUTED and not rows:
        mistakes.add(str(csv), 0, "has no rows", "")
