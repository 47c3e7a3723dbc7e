"""Read what the runtime's processes wrote about themselves; the program that ran there is not trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprobox.records import RuntimeRecord, Suspect

_MOST_FRAGMENTS = 2000
_LARGEST_FRAGMENT = 256 * 1024
"""Bytes; the runtime writes a few kilobytes."""
_MOST_BYTES = 32 * 2**20
"""Of all of them together: they enter one record."""
_DEEPEST = 16
"""Levels of lists and objects in one another; the runtime writes four."""

_MOST_SUSPECTS = 200
_LONGEST_TEXT = 500


def read_fragments(folder: Path) -> RuntimeRecord:
    """Merge the fragments in ``folder``; what cannot be read becomes a warning, never an error."""
    fragments: list[dict[str, Any]] = []
    warnings: list[str] = []
    room = _MOST_BYTES
    for index, path in enumerate(sorted(folder.glob("*.json"))):
        if index == _MOST_FRAGMENTS or room < 0:
            warnings.append(f"only the records of {index} processes were read: there are too many, or too large ones")
            break
        text = _read_text(path)
        fragment = _parse_fragment(text)
        room -= len(text)
        if fragment is None:
            warnings.append(f"record fragment {path.name} was not read: the runtime did not write it so")
        else:
            fragments.append(fragment)
            warnings.extend(_strings(fragment.get("warnings")))
    return RuntimeRecord(tuple(fragments), tuple(dict.fromkeys(warnings)))


def find_peak_memory(record: RuntimeRecord, stage: str = "") -> int | None:
    """Return the largest resident set of any process of a stage, in bytes; without a stage, of any process at all."""
    fragments = [one for one in record.processes if not stage or one.get("stage") == stage]
    sizes = [size for fragment in fragments if isinstance(size := fragment.get("max_rss"), int)]
    return max((size for size in sizes if 0 <= size < 2**63), default=None)


def find_gpu_use(record: RuntimeRecord) -> bool | None:
    """Whether any process used a GPU; ``None`` where no process came to say."""
    said = [gpu for fragment in record.processes if isinstance(gpu := fragment.get("gpu"), dict)]
    return any(gpu.get("used") is True for gpu in said) if said else None


def merge_suspects(record: RuntimeRecord) -> tuple[Suspect, ...]:
    """Add up what the processes noted, by kind and place; the most frequent first."""
    merged: dict[tuple[str, str], Suspect] = {}
    for fragment in record.processes:
        for one in _list_suspects(fragment.get("suspects")):
            before = merged.get((one.kind, one.where))
            count = one.count + (before.count if before else 0)
            detail = before.detail if before and before.detail else one.detail
            merged[one.kind, one.where] = Suspect(one.kind, one.where, count, detail)
    ranked = sorted(merged.values(), key=lambda one: (-one.count, one.kind, one.where))
    return tuple(ranked[:_MOST_SUSPECTS])


def _list_suspects(value: object) -> Iterator[Suspect]:
    for one in value if isinstance(value, list) else ():
        if not isinstance(one, dict):
            continue
        kind, where, detail = (_cut(one.get(key)) for key in ("kind", "where", "detail"))
        count = one.get("count")
        if kind and type(count) is int and 0 < count < 2**53:
            yield Suspect(kind, where, count, detail)


def _cut(value: object) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _read_text(path: Path) -> str:
    """Return the file's text; empty where there is none that the runtime can have written."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_FRAGMENT:
            return ""
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _parse_fragment(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and _is_shallow(data, _DEEPEST) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _is_shallow(value: object, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_shallow(one, depth - 1) for one in inner)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
