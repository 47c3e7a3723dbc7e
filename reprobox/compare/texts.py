"""Compare texts line by line, and JSON key by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest

import numpy as np

from reprobox.compare.decimals import overflows, read_number
from reprobox.compare.json_objects import make_object
from reprobox.compare.model import Difference, NotComparable, Tolerance
from reprobox.compare.names import join_key
from reprobox.compare.numbers import Tally, describe_numbers
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Document, Mark, Parts, Scalar, describe_scalar
from reprobox.languages import Reason, Said, make_reason

_LARGEST_JSON = 1 << 26
_MOST_DEEP = 100
_FLOAT = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE][-+]?\d))(?:[eE][-+]?\d+)?|\b(?:nan|inf)\b")
"""A number with a point or an exponent; whole ones are labels and counters, which have no tolerance."""
_LONGEST_COMPARED = 10_000


def compare_texts(one: Opened, other: Opened, tolerance: Tolerance) -> tuple[int, list[Difference]]:
    """Return how many lines there are and what differs, which is one difference however many lines it is."""
    tally = Tally(tolerance, max_ulp=None)
    lines = differing = 0
    first: Said = ()
    words = False
    for lines, (a, b) in enumerate(zip_longest(one.lines(), other.lines()), 1):
        if a == b:
            continue
        differing += 1
        first = first or (_show_line(lines, a, b),)
        words = not _add_numbers(tally, a, b, lines) or words
    if not differing:
        return lines, []
    said = (make_reason("lines", differing=differing, lines=lines), *first)
    if words or tally.first is None:
        return lines, [Difference("", said)]
    numbers = tally.result(tally.differing, f"line {tally.first}")
    return lines, [Difference("", (*said, describe_numbers(numbers, tally.first, "line")), numbers)]


def _show_line(line: int, one: str | None, other: str | None) -> Reason:
    shown = ["" if text is None else describe_scalar(text.rstrip("\r\n")) for text in (one, other)]
    key = "line_only_second" if one is None else "line_only_first" if other is None else "line"
    return make_reason(key, line=line, one=shown[0], other=shown[1])


def _add_numbers(tally: Tally, a: str | None, b: str | None, line: int) -> bool:
    """Add the numbers of two lines that differ in nothing else; return whether they are such lines."""
    if a is None or b is None or max(len(a), len(b)) > _LONGEST_COMPARED or _FLOAT.sub("#", a) != _FLOAT.sub("#", b):
        return False
    numbers = [_FLOAT.findall(one) for one in (a, b)]
    if any(overflows(text) for one in numbers for text in one):
        return False
    x, y = (np.array([float(text) for text in one]) for one in numbers)
    before = tally.differing
    tally.add(x, y, 0)
    if before == 0 and tally.differing:
        tally.first = line
    return True


def read_json(file: Opened) -> Document:
    """Read one JSON value into its leaves, by the way to each; the order of keys means nothing."""
    return _flatten([_parse(file.read_whole(_LARGEST_JSON).decode("utf-8-sig", "strict"))], lines=False)


def read_json_lines(file: Opened) -> Document:
    """Read one JSON value a line."""
    if file.size > _LARGEST_JSON:
        raise NotComparable("bytes_more", bytes=file.size, most=_LARGEST_JSON)
    return _flatten([_parse(line) for line in file.lines() if line.strip()], lines=True)


def _parse(text: str) -> object:
    try:
        return json.loads(text, parse_float=read_number, object_pairs_hook=make_object)
    except (ValueError, RecursionError) as exc:
        raise NotComparable("no_json", error=str(exc)[:170]) from exc


def _flatten(values: list[object], *, lines: bool) -> Document:
    parts = Parts()
    for index, value in enumerate(values, 1):
        for name, leaf in _list_leaves(f"line {index}" if lines else "", value, _MOST_DEEP):
            parts.add(name, leaf)
    return parts.found


def _list_leaves(name: str, value: object, depth: int) -> Iterator[tuple[str, Scalar | Mark]]:
    if depth == 0:
        raise NotComparable("nested_deep")
    if isinstance(value, dict) and value:
        for key, inner in sorted(value.items()):
            yield from _list_leaves(join_key(name, key), inner, depth - 1)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _list_leaves(f"{name}[{index}]", inner, depth - 1)
    elif isinstance(value, dict | list):
        yield name, Mark("an empty object" if isinstance(value, dict) else "an empty list")
    else:
        assert value is None or isinstance(value, bool | int | float | Decimal | str | Mark)
        yield name, value
