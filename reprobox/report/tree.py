"""Draw a directory tree of paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reprobox.sizes import format_size

Folder = dict[str, Any]


def draw_tree(files: Iterable[tuple[str, int]]) -> list[str]:
    """Return a line for each folder and file, as ``tree`` draws them, with the files' sizes."""
    top: Folder = {}
    for path, size in sorted(files):
        *folders, name = path.split("/")
        folder = top
        for one in folders:
            folder = folder.setdefault(one + "/", {})
        folder[name] = size
    return ["./", *_draw_folder(top)]


def list_folders(paths: Iterable[str]) -> list[str]:
    """Return every folder above some path, as ``find . -type d`` prints them, sorted."""
    found = {"."}
    for path in paths:
        parts = path.split("/")[:-1]
        found |= {"/".join((".", *parts[: end + 1])) for end in range(len(parts))}
    return sorted(found)


def _draw_folder(top: Folder) -> Iterator[str]:
    """Yield the lines; without calling itself, for a path may have thousands of folders."""
    waiting = [("", iter(top.items()), len(top))]
    while waiting:
        before, entries, left = waiting.pop()
        for name, inner in entries:
            left -= 1
            size = "" if isinstance(inner, dict) else f"  {format_size(inner)}"
            yield f"{before}{'├── ' if left else '└── '}{name}{size}"
            if isinstance(inner, dict):
                waiting.append((before, entries, left))
                waiting.append((before + ("│   " if left else "    "), iter(inner.items()), len(inner)))
                break
