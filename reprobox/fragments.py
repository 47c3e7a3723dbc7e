"""Read what the runtime's processes wrote about themselves; the program that ran there is not trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprobox.records import RuntimeRecord

_MOST_FRAGMENTS = 2000
_LARGEST_FRAGMENT = 256 * 1024
"""Bytes; the runtime writes a few kilobytes."""


def read_fragments(folder: Path) -> RuntimeRecord:
    """Merge the fragments in ``folder``; what cannot be read becomes a warning, never an error."""
    fragments: list[dict[str, Any]] = []
    warnings: list[str] = []
    for index, path in enumerate(sorted(folder.glob("*.json"))):
        if index == _MOST_FRAGMENTS:
            warnings.append(f"more than {_MOST_FRAGMENTS} processes left a record; the rest was not read")
            break
        fragment = _read_fragment(path)
        if fragment is None:
            warnings.append(f"record fragment {path.name} was not read: the runtime did not write it so")
        else:
            fragments.append(fragment)
            warnings.extend(_strings(fragment.get("warnings")))
    return RuntimeRecord(tuple(fragments), tuple(dict.fromkeys(warnings)))


def find_peak_memory(record: RuntimeRecord) -> int | None:
    """Return the largest resident set of any process, in bytes."""
    sizes = [size for fragment in record.processes if isinstance(size := fragment.get("max_rss"), int)]
    return max(sizes, default=None)


def _read_fragment(path: Path) -> dict[str, Any] | None:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_FRAGMENT:
            return None
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
