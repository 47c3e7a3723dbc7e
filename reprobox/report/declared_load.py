"""YAML text -> Declared: reads every key of ``report.yaml``, and reports everything that is wrong at once."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from reprobox.errors import Problem, SpecError, UsageError
from reprobox.report.declared import Claim, Declared, DeclaredFile, HardwareSaid, InputSaid, Licences
from reprobox.report.values import Role
from reprobox.spec.paths import read_output
from reprobox.spec.positions import collect_positions
from reprobox.spec.values import (
    MAX_TEXT,
    Reader,
    Value,
    describe,
    read_fields,
    read_integer,
    read_list,
    read_scalar,
    read_table,
    read_text,
    shorten,
)
from reprobox.spec.yaml_nodes import MAX_BYTES, MapNode, Position, ScalarNode, decode_text, parse_nodes

_KIND = "a report.yaml"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_MOST_ROWS = 10**15
_ELSEWHERE = {
    "license": "did you mean 'licence'?",
    "score": "did you mean 'claim'?",
    "algorithm": "did you mean 'method'?",
    "model": "write 'outputs: {model: …}'",
    "predictions": "write 'outputs: {predictions: …}'",
    "team": "did you mean 'background'?",
    "seed": "the seed is in spec.yaml",
}


def read_declared(path: Path) -> DeclaredFile:
    """Read ``report.yaml``; one that is not there says nothing. Raises SpecError with every problem found."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return DeclaredFile(file=str(path))
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}", hint="make it a file that you can read") from exc
    found = parse_declared(decode_text(data, str(path), _KIND), str(path))
    return replace(found, sha256=hashlib.sha256(data).hexdigest())


def parse_declared(text: str, file: str) -> DeclaredFile:
    """Read it from text; its sha256 is left to whoever has the bytes."""
    problems: list[Problem] = []
    try:
        nodes = parse_nodes(text, file, problems, kind=_KIND, may_be_empty=True)
    except SpecError as exc:
        raise SpecError((*problems, *exc.problems)) from exc
    top = Value(nodes, "", file, problems, Position(1, 1))
    parts: dict[str, Any] = read_fields(top, _READERS, _ELSEWHERE)
    if problems:
        raise SpecError(tuple(problems))
    return DeclaredFile(Declared(**parts), file, None, collect_positions(top))


def read_paragraphs(value: Value) -> str | None:
    """Return a text of any number of lines."""
    node = read_scalar(value, "a text")
    if node is None:
        return None
    if bad := _CONTROL.search(node.text):
        value.report(f"contains the control character U+{ord(bad.group()):04X}", "delete it")
        return None
    text = "\n".join(line.rstrip() for line in node.text.strip().splitlines())
    if not text:
        value.report("expected a text, found an empty text", "write something, or remove the line")
        return None
    if len(text) > 10 * MAX_TEXT:
        value.report(f"is {len(text):,} characters long", f"use at most {10 * MAX_TEXT:,}")
        return None
    return text


def _read_line(value: Value) -> str | None:
    return read_text(value, "a text", verbatim=True)


def _read_parameters(value: Value) -> str | None:
    """Return hyper-parameters: a text as it stands, or a mapping as one line for each."""
    if not isinstance(value.node, MapNode):
        return read_paragraphs(value)
    lines = [f"{key}: {text}" for key, entry in value.entries().items() if (text := _read_line(entry)) is not None]
    if not lines:
        value.report("expected a text or a mapping, found an empty mapping", "write something, or remove the line")
    return "\n".join(lines) or None


def _read_number(value: Value) -> float | None:
    node = read_scalar(value, "a number")
    if node is None:
        return None
    number = float(node.text) if node.plain and len(node.text) < 40 and _NUMBER.fullmatch(node.text) else math.nan
    if not math.isfinite(number):
        value.report(f"expected a number, found {shorten(node.text)}", "write digits, such as 0.8125")
        return None
    return number


def _read_claim(value: Value) -> Claim | None:
    readers: dict[str, Reader[object]] = {"metric": _read_line, "value": _read_number, "where": _read_line}
    parts: dict[str, Any] = read_fields(value, readers)
    if not isinstance(value.node, MapNode):
        return None
    for key in ("metric", "value"):
        if key not in value.entries():
            value.report_missing(key, "a claimed score has a metric and a value")
    return Claim(**parts) if {"metric", "value"} <= parts.keys() else None


def _read_licence(value: Value) -> Licences | None:
    if isinstance(value.node, ScalarNode) and not value.empty:
        value.report(
            f"expected a mapping, found {describe(value.node)}", "write 'licence: {code: …, model: …, data: …}'"
        )
        return None
    parts: dict[str, Any] = read_fields(value, {"code": _read_line, "model": _read_line, "data": _read_line})
    return Licences(**parts)


def _read_roles(value: Value) -> dict[Role, tuple[str, ...]]:
    readers: dict[str, Reader[object]] = {role.value: partial(read_list, read_item=read_output) for role in Role}
    parts: dict[str, Any] = read_fields(value, readers)
    return {Role(name): globs for name, globs in parts.items() if globs}


def _read_inputs(value: Value) -> dict[str, InputSaid]:
    readers: dict[str, Reader[object]] = {"rows": partial(read_integer, low=0, high=_MOST_ROWS), "split": _read_line}

    def read_one(_: str, entry: Value) -> InputSaid:
        parts: dict[str, Any] = read_fields(entry, readers)
        return InputSaid(**parts)

    return read_table(value, read_one)


def _read_hardware(value: Value) -> HardwareSaid:
    readers: dict[str, Reader[object]] = dict.fromkeys(HardwareSaid.__dataclass_fields__, _read_line)
    parts: dict[str, Any] = read_fields(value, readers)
    return HardwareSaid(**parts)


def _read_definitions(value: Value) -> dict[str, str]:
    return read_table(value, lambda _, entry: read_paragraphs(entry))


def _read_reason(value: Value, key: str) -> str | None:
    """Return the reason that a mapping gives under its only key."""
    parts: dict[str, Any] = read_fields(value, {key: read_paragraphs})
    return parts.get(key)


_READERS: dict[str, Reader[object]] = {
    "title": _read_line,
    "author": _read_line,
    "method": read_paragraphs,
    "hyperparameters": _read_parameters,
    "feature_selection": read_paragraphs,
    "side_effects": read_paragraphs,
    "assumptions": read_paragraphs,
    "external_data": read_paragraphs,
    "inputs": _read_inputs,
    "hardware": _read_hardware,
    "metrics": _read_definitions,
    "licence": _read_licence,
    "claim": _read_claim,
    "outputs": _read_roles,
    "contributions": partial(_read_reason, key="not_applicable"),
    "randomness": partial(_read_reason, key="none"),
    "background": read_paragraphs,
}
