"""Read somebody else's ``report.json``: strict JSON within bounds, or one clear error."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from reprobox.errors import UsageError
from reprobox.streams import escape_unprintable

LARGEST = 32 * 2**20
"""Bytes; a report of a thousand packages has half a megabyte."""
DEEPEST = 32
"""Lists and objects in one another; a report has nine."""
MOST_VALUES = 1_000_000
"""A report of a thousand packages has ten thousand."""
LONGEST_NUMBER = 400
"""Characters: what a number of JSON may have, well below what Python converts."""
_SURROGATE = re.compile("[\ud800-\udfff]")
# A text, to its end or the file's, or what divides values outside of one; possessive: nothing is looked at twice.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def read_report(path: Path) -> Any:  # noqa: ANN401 — somebody's JSON
    """Return what the file holds; raise ``UsageError`` where it cannot be read as JSON."""
    name = escape_unprintable(str(path))
    try:
        return parse_report(_read_bytes(path))
    except OSError as exc:
        raise UsageError(f"{name} cannot be read: {exc.strerror or exc}", hint="name a report.json") from exc
    except (ValueError, RecursionError) as exc:
        reason = escape_unprintable(str(exc))[:300]
        raise UsageError(f"{name} is no report.json: {reason}", hint="a report is JSON in UTF-8") from exc


def parse_report(data: bytes) -> Any:  # noqa: ANN401
    """Return the value of JSON text; ``ValueError`` where it is none, or one that readers may take differently."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ValueError(f"byte 0x{data[exc.start]:02x} at {exc.start} is not UTF-8") from exc
    _check_bounds(text)
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_parse_float,
        parse_int=_parse_int,
        object_pairs_hook=_build_object,
    )
    if found := _find_surrogate(value):
        raise ValueError(f"half of a surrogate pair is no character: \\u{ord(found):04x}")
    return value


def _read_bytes(path: Path) -> bytes:
    # O_NONBLOCK: opening a pipe must not wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ValueError("it is no file")
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    return data


def _check_bounds(text: str) -> None:
    """Count brackets and commas outside texts before the parser, or the schema, has to do with each."""
    depth = commas = 0
    for token in _TOKEN.finditer(text):
        commas += token[0] == ","
        if commas > MOST_VALUES:
            raise ValueError(f"it has more than {MOST_VALUES:,} values")
        depth += 1 if token[0] in "[{" else -1 if token[0] in "]}" else 0
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:60]!r} is given twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")


def _parse_float(text: str) -> float:
    number = float(text) if len(text) <= LONGEST_NUMBER else float("inf")
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]}… is too large or too long a number")
    return number


def _parse_int(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"{text[:20]}… is too long a number")
    return int(text)


def _find_surrogate(value: object) -> str:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and (found := _SURROGATE.search(one)):
            return found[0]
        if isinstance(one, dict):
            waiting.extend([*one, *one.values()])
        elif isinstance(one, list):
            waiting.extend(one)
    return ""
