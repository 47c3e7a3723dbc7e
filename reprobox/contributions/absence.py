"""What a method does not have, with the reason: the text "not applicable: …" in place of a metric or a seed."""

from __future__ import annotations

import re

_ABSENCE = re.compile(r"not[ _]applicable\b\s*:?\s*(.*)", re.DOTALL | re.IGNORECASE)


def is_absence(text: str) -> bool:
    """Whether a text says that there is none, with a reason or without."""
    return _ABSENCE.fullmatch(text.strip()) is not None


def read_absence(text: str) -> str:
    """Return why there is none; empty where the text does not say so, or not why."""
    found = _ABSENCE.fullmatch(text.strip())
    return found[1].strip() if found else ""


def write_absence(reason: str) -> str:
    """Return the text that says so."""
    return f"not applicable: {reason}"
