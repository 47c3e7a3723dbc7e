"""Read run records back; whoever sent one is not trusted."""

from __future__ import annotations

import json
import os
import stat
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from reprobox.errors import UsageError
from reprobox.records import RECORD_SCHEMA, RunRecord

RECORD_FILE = "run.json"
_LARGEST_RECORD = 64 * 2**20
"""Bytes; a run of thousands of processes makes one half as large."""


class _Misfit(ValueError):
    """A value that is not what the record's field is for."""


def read_record(path: Path) -> RunRecord:
    """Read ``run.json``; raise ``UsageError`` when it is none of ours."""
    try:
        return parse_record(_read_text(path))
    except (OSError, ValueError, RecursionError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(
            f"{path} is no readable run record: {reason}",
            hint="name a run's folder (.reprobox/runs/…) or the run.json in it",
        ) from exc


def parse_record(text: str) -> RunRecord:
    """Return the record that ``text`` holds; raise ``ValueError`` naming the key that is wrong."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise _Misfit("it holds no object")
    if data.get("schema_version") != RECORD_SCHEMA:
        raise _Misfit(f"schema_version is {data.get('schema_version')!r}, this reprobox reads {RECORD_SCHEMA}")
    record: RunRecord = _build(RunRecord, data, "")
    return record


def find_run(name: str, runs: Path) -> tuple[Path, RunRecord]:
    """Return the folder and the record of a run: named by its id below ``runs``, by its folder, or by its record."""
    for path in (Path(name), runs / name):
        if path.is_dir():
            return path, read_record(path / RECORD_FILE)
        if path.is_file():
            return path.parent, read_record(path)
    raise UsageError(f"there is no run {name}", hint=f"name a folder or run.json; the runs made here are in {runs}")


def _read_text(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _Misfit("it is no file")
        if status.st_size > _LARGEST_RECORD:
            raise _Misfit(f"it has {status.st_size} bytes")
        return stream.read().decode("utf-8")


def _build(wanted: Any, value: object, key: str) -> Any:  # noqa: ANN401 — by the field's own annotation
    """Return ``value`` as the type ``wanted`` asks for; what a later version added is passed over."""
    if is_dataclass(wanted):
        return _build_fields(typing.cast(type, wanted), value, key)
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is tuple:
        items = _expect(value, list, key)
        return tuple(_build(inner[0], item, f"{key}[{index}]") for index, item in enumerate(items))
    if origin is dict:
        items = _expect(value, dict, key)
        return {name: _build(inner[1], item, f"{key}.{name}") for name, item in items.items()}
    if origin in (types.UnionType, typing.Union):
        return _build_union(inner, value, key)
    if wanted is Any:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    return _expect(value, wanted, key)


def _build_union(options: tuple[Any, ...], value: object, key: str) -> Any:  # noqa: ANN401
    for option in options:
        if type(value) is option:
            return value
        if is_dataclass(option) and value is not None:
            return _build_fields(typing.cast(type, option), value, key)
    raise _Misfit(f"{key} is not what it should be")


def _build_fields(wanted: type, value: object, key: str) -> Any:  # noqa: ANN401
    data = _expect(value, dict, key or "the record")
    hints = typing.get_type_hints(wanted)
    found = {}
    for field in fields(wanted):
        name = f"{key}.{field.name}" if key else field.name
        if field.name in data:
            found[field.name] = _build(hints[field.name], data[field.name], name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _Misfit(f"{name} is missing")
    return wanted(**found)


def _expect(value: object, wanted: type, key: str) -> Any:  # noqa: ANN401
    # bool is an int to Python, and to no record.
    if type(value) is not wanted:
        raise _Misfit(f"{key} is not what it should be")
    return value
