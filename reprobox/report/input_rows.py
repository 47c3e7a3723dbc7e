"""Count the rows of the tables that a run read."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

LARGEST = 64 * 2**20
"""Bytes; what is larger takes longer to count than a report should."""
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}


def count_rows(path: Path, sha256: str) -> int | None:
    """Return how many rows a CSV or TSV has below its first line; ``None`` where it is no such file, or another now."""
    delimiter = _DELIMITERS.get(path.suffix.lower())
    try:
        if delimiter is None or not path.is_file() or path.stat().st_size > LARGEST:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data).hexdigest() != sha256:
        return None
    # Whatever the text is written in, commas, quotes and line ends are the same bytes.
    lines = csv.reader(io.StringIO(data.decode("latin-1"), newline=""), delimiter=delimiter)
    try:
        return max(0, sum(1 for line in lines if line) - 1)
    except csv.Error:
        return None
