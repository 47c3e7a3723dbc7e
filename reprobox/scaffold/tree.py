"""List a project's files, however odd or large the project is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_ENTRIES = 20_000
MAX_DEPTH = 8
MAX_TEXT = 2 << 20

_SKIPPED = frozenset(
    {
        "__pycache__",
        "node_modules",
        "site-packages",
        "venv",
        "env",
        "build",
        "dist",
        "wandb",
        "mlruns",
        "runs",
        "lightning_logs",
    }
)


@dataclass(frozen=True)
class Tree:
    """What is in a folder: relative paths, sorted, hidden and generated ones left out."""

    root: Path
    files: tuple[PurePosixPath, ...]
    folders: tuple[PurePosixPath, ...]
    complete: bool
    """Whether everything was listed; a very large folder is only begun."""

    def read(self, path: PurePosixPath) -> bytes | None:
        """Return a file's bytes; ``None`` when it is too large, gone, or not readable."""
        try:
            with (self.root / path).open("rb") as stream:
                data = stream.read(MAX_TEXT + 1)
        except OSError:
            return None
        return data if len(data) <= MAX_TEXT else None

    def has(self, path: str) -> bool:
        """Tell whether there is such a file."""
        return PurePosixPath(path) in self.files


def list_tree(root: Path) -> Tree:
    """Walk a folder breadth first, up to a limit of entries and depth; links are not followed."""
    files: list[PurePosixPath] = []
    folders: list[PurePosixPath] = []
    level = [PurePosixPath()]
    left = MAX_ENTRIES
    for _ in range(MAX_DEPTH):
        below: list[PurePosixPath] = []
        for folder in level:
            found_files, found_folders = _list_folder(root, folder, left)
            left -= len(found_files) + len(found_folders)
            files += found_files
            below += found_folders
        folders += below
        level = below
    return Tree(root, tuple(files), tuple(folders), complete=left > 0 and not level)


def _list_folder(root: Path, folder: PurePosixPath, limit: int) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    files: list[PurePosixPath] = []
    folders: list[PurePosixPath] = []
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)[: max(limit, 0)]
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.isprintable():
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and not (Path(entry.path) / "pyvenv.cfg").exists():
                    folders.append(folder / entry.name)
            elif entry.is_file(follow_symlinks=False):
                files.append(folder / entry.name)
    except OSError:
        pass  # A folder that cannot be read proposes nothing.
    return files, folders
