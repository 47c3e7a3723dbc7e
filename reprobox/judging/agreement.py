"""How many rows of two prediction files agree: a rate that means something only beside that of two seeds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from reprobox.outputs import find_output

_LARGEST = 2**28
"""Bytes of a file that is read; of lines as many are compared in a minute."""
_AT_ONCE = 2**20
"""Values."""
_MOST_ROWS = 20_000_000
_LONGEST_LINE = 2**20
_AGREE = 1e-12
_TEXTS = (".csv", ".tsv", ".txt", ".json", ".jsonl")
_GUESSES = ("predict", "submission", "pred", "answer")


def choose_predictions(wanted: str, paths: Sequence[str]) -> str:
    """Return which output holds the predictions: the contest's choice, or the likeliest by its name; "" for none."""
    if wanted:
        return wanted if wanted in paths else ""
    readable = [path for path in paths if path.endswith((*_TEXTS, ".npy"))]
    named = [path for guess in _GUESSES for path in readable if guess in path.rpartition("/")[2].lower()]
    return named[0] if named else ""


def find_agreement(path: str, one: Path, other: Path) -> float | None:
    """Return the share of rows of an output that two runs, in these folders, agree in; ``None`` where it has none."""
    first, second = find_output(one, path), find_output(other, path)
    return agree(first, second) if first and second else None


def agree(one: Path, other: Path) -> float | None:
    """Return the share of rows that are the same, of the longer file's; ``None`` where rows cannot be read."""
    if one.suffix == ".npy":
        return _agree_arrays(one, other)
    if one.suffix not in _TEXTS:
        return None
    same = rows = 0
    try:
        with _open(one) as first, _open(other) as second:
            for a, b in zip_longest(_lines(first), _lines(second)):
                rows += 1
                if rows > _MOST_ROWS:
                    return None
                same += a == b
    except (OSError, ValueError):
        return None
    return same / rows if rows else None


def _agree_arrays(one: Path, other: Path) -> float | None:
    try:
        with _open(one) as first, _open(other) as second:
            # Not `np.load`, which takes a zip for an archive of arrays.
            a, b = (np.lib.format.read_array(one, allow_pickle=False) for one in (first, second))
        if a.shape != b.shape or not a.size or not a.shape or not {a.dtype.kind, b.dtype.kind} <= set("biufcSUmM"):
            return None
        return _count_equal(a, b) / len(a)
    except Exception:  # NumPy evaluates a stranger's header, which may be anything
        return None


def _count_equal(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> int:
    """Count the rows that are equal, a few at a time: comparing takes many times the memory of what is compared."""
    numbers = {a.dtype.kind, b.dtype.kind} <= set("biufc")
    if not numbers and a.dtype.kind != b.dtype.kind:
        return 0
    step = max(1, _AT_ONCE // max(1, a.size // len(a)))
    count = 0
    for start in range(0, len(a), step):
        one, other = a[start : start + step], b[start : start + step]
        equal = np.isclose(one, other, rtol=0, atol=_AGREE, equal_nan=True) if numbers else one == other
        count += int(equal.reshape(len(one), -1).all(axis=1).sum())
    return count


def _open(path: Path) -> BinaryIO:
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
        stream.close()
        raise ValueError("no file that could be read")
    return stream


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE):
        yield line.rstrip(b"\r\n")
