"""Find the metrics that a run left: in a file of its own, through the runtime's helper, or printed."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

Metrics = dict[str, float]

_LARGEST = 1e100
"""Squares of it can be added up; whoever measures more wants an overflow, or has diverged."""
_LARGEST_FILE = 2**20
"""Bytes of a ``metrics.json``; it is for a handful of numbers."""
_MOST_BYTES = 4 * 2**20
"""Bytes of the log and of ``metrics.jsonl`` that are looked at, from their ends."""
_MOST_NAMES = 200
_LONGEST_NAME = 100
_DEEPEST = 4
_NUMBER = rb"[-+]?(?:\d++(?:\.\d*+)?(?:e[-+]?\d++)?|\.\d++(?:e[-+]?\d++)?|nan|inf(?:inity)?)"
# A name, then = or :, then a number that neither goes on (a date, a time, a version) nor has a unit of time or size.
# What repeats is possessive: the program that printed the text is not trusted, and nothing in it is tried twice.
_PRINTED = re.compile(
    rb"(?<![\w.])([a-z][\w./@-]{0,99}+)[ \t]?[=:][ \t]{0,4}("
    + _NUMBER
    + rb")(?!\w|\.\d|[:-]\w|/|[ ]?(?-i:s|ms|[kKMG]?i?B)\b)",
    re.IGNORECASE,
)
_COUNTERS = {"batch", "elapsed", "epoch", "eta", "iter", "iteration", "line", "pid", "port", "seed", "step", "time"}
"""Names that programs print with a number beside their metrics."""
_NO_METRIC = re.compile(r"\.(c|cc|cpp|cu|h|py)$|^(?=.*_)[A-Z0-9_]+$")
"""A line of somebody's source in a warning, a variable of the environment."""


def read_metrics(run: Path) -> Metrics:
    """Return the last value of each metric of the run in folder ``run``, by name.

    What the program printed is overruled by the helper's ``metrics.jsonl``, and that by ``output/metrics.json``.
    Whatever cannot be read counts as not there: the program that left it is not trusted. A metric whose last value is
    no finite number, or beyond 1e100, is left out.
    """
    found: Metrics = {}
    found |= _keep_last(_find_printed(_read_end(run / "log.txt")))
    found |= _keep_last(_find_logged(_read_end(run / "record" / "metrics.jsonl")))
    found |= _keep_last(_find_declared(run / "output" / "metrics.json"))
    return dict(sorted(found.items())[:_MOST_NAMES])


def is_measured(value: float) -> bool:
    """Whether a value is a number that can be compared and averaged with others: not NaN, not beyond 1e100."""
    return abs(value) <= _LARGEST


def _keep_last(values: Iterator[tuple[str, object]]) -> Metrics:
    last: Metrics = {}
    for name, value in values:
        last.pop(name, None)
        if isinstance(value, int | float) and not isinstance(value, bool) and len(name) <= _LONGEST_NAME:
            number = _to_float(value)
            if is_measured(number):
                last[name] = number
    return last


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _find_printed(text: bytes) -> Iterator[tuple[str, object]]:
    for match in _PRINTED.finditer(text):
        name = match[1].decode("utf-8", "replace")
        if name.lower() not in _COUNTERS and not _NO_METRIC.search(name):
            yield name, float(match[2])


def _find_logged(text: bytes) -> Iterator[tuple[str, object]]:
    for line in text.splitlines():
        entry = _parse_json(line)
        if isinstance(entry, dict) and isinstance(name := entry.get("name"), str):
            yield name, entry.get("value")


def _find_declared(path: Path) -> Iterator[tuple[str, object]]:
    text = _read_end(path, _LARGEST_FILE + 1)
    if len(text) <= _LARGEST_FILE:
        yield from _flatten(_parse_json(text), "", _DEEPEST)


def _flatten(value: object, prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items() if depth else ():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key), depth - 1)
    elif prefix:
        yield prefix, value


def _parse_json(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_end(path: Path, most: int = _MOST_BYTES) -> bytes:
    """Return the last ``most`` bytes of a regular file; nothing for a link, a pipe, or what is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return b""
            stream.seek(max(0, status.st_size - most))
            return stream.read(most)
    except OSError:
        return b""
