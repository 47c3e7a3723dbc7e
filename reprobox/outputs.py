"""Look at what a run left under ``/output``."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from reprobox.records import OutputFile


def list_outputs(folder: Path) -> tuple[tuple[OutputFile, ...], tuple[str, ...]]:
    """Return every regular file below ``folder`` with its hash, sorted, and a warning for everything else.

    Links are never followed and nothing but regular files is opened: the program that left them is not trusted.
    """
    files: list[OutputFile] = []
    warnings: list[str] = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        try:
            files.append(_hash_output(path, name))
        except OSError as exc:
            warnings.append(f"output {name!r} was not read: {exc.strerror}")
    return tuple(sorted(files, key=lambda file: file.path)), tuple(sorted(warnings))


def find_missing(declared: tuple[str, ...], present: tuple[OutputFile, ...]) -> tuple[str, ...]:
    """Return the declared paths, folders or globs that no output matches."""
    names = [file.path for file in present]
    return tuple(item for item in declared if not _match_output(item, names))


def _match_output(declared: str, names: list[str]) -> bool:
    pattern = GitIgnoreSpec.from_lines(["/" + declared.lstrip("/")])
    return any(pattern.match_file(name) for name in names)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=False):
        # A link to a folder counts as a folder for os.walk, which does not enter it.
        for name in [*names, *(name for name in folders if Path(parent, name).is_symlink())]:
            yield Path(parent, name)


def _hash_output(path: Path, name: str) -> OutputFile:
    # O_NOFOLLOW and the check on the open file, not on its name: the container may still be changing it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        return OutputFile(name, hashlib.file_digest(stream, "sha256").hexdigest(), status.st_size)
