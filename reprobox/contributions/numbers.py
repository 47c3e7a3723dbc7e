"""Numbers as text, taken strictly: what one program reads as a number must be one to all of them."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)


def parse_number(text: str) -> float | None:
    """Return a finite decimal number; ``None`` for anything else, such as "nan", "1e999", "1_000" and "1,5"."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_integer(text: str) -> int | None:
    """Return an integer of at most 19 digits; ``None`` for anything else."""
    return int(text) if _INTEGER.fullmatch(text) else None
