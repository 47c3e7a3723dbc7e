"""The source as layer entries below ``/work``."""

from __future__ import annotations

from pathlib import Path

from reprobox.layers.files import FileItem
from reprobox.layers.tar import make_dir, make_file, make_symlink
from reprobox.plan import SourceFile

SOURCE_FOLDER = "work"


def list_source_entries(source: tuple[SourceFile, ...], project: Path) -> tuple[FileItem, ...]:
    """Return every entry of the source layer, sorted by path; all of it root's, and readable by everybody."""
    folders = {parent for file in source for parent in _parents(file.path)}
    # An engine that unpacks a layer makes the folders it lacks, with a mode of its own: the top is named too.
    items: list[FileItem] = [(make_dir(SOURCE_FOLDER)._replace(mode=0o1777), None)]
    items += [(make_dir(f"{SOURCE_FOLDER}/{folder}"), None) for folder in folders]
    for file in source:
        path = f"{SOURCE_FOLDER}/{file.path}"
        if file.link:
            items.append((make_symlink(path, file.link), None))
        else:
            items.append((make_file(path, file.size, executable=file.executable), project / file.path))
    return tuple(sorted(items, key=lambda item: item[0].path.encode()))


def _parents(path: str) -> set[str]:
    parts = path.split("/")[:-1]
    return {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
