"""What a source archive says it needs: read from its files, none of which is run."""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from reprobox.errors import LockError

_DEFAULT_BUILD = ("setuptools", "wheel")
"""What PEP 517 builds an archive with that does not say: https://peps.python.org/pep-0517/#source-trees."""
_WANTED = re.compile(r"[^/]+/(pyproject\.toml|PKG-INFO|([^/]+/)?[^/]+\.egg-info/requires\.txt)")
_LIMIT = 1 << 24
"""Bytes of one such file."""


def read_needs(path: Path, filename: str) -> tuple[Requirement, ...]:
    """Return what the archive needs to be built, and then to be used.

    Raises LockError when it cannot be read, or says something that is no requirement.
    """
    try:
        files = dict(_read_zip(path) if filename.endswith(".zip") else _read_tar(path))
        lines = [*_list_build_needs(files), *_list_run_needs(files)]
        return tuple(Requirement(line) for line in lines)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as exc:
        problem = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise LockError(
            f"{filename}: what this source archive needs cannot be read: {problem}",
            hint="take it out of `from_source`; a wheel of it in a folder named under `indexes` will do",
        ) from exc


def _read_tar(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if member.isfile() and member.size <= _LIMIT and _WANTED.fullmatch(member.name):
                stream = archive.extractfile(member)
                if stream is not None:
                    yield member.name, stream.read(_LIMIT).decode("utf-8", "replace")


def _read_zip(path: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size <= _LIMIT and _WANTED.fullmatch(member.filename):
                yield member.filename, archive.read(member).decode("utf-8", "replace")


def _find(files: dict[str, str], ending: str) -> str | None:
    """Return the text of the outermost file of that name."""
    names = [name for name in files if name.endswith(ending)]
    return files[min(names, key=lambda name: (name.count("/"), name))] if names else None


def _list_build_needs(files: dict[str, str]) -> list[str]:
    text = _find(files, "/pyproject.toml")
    system = tomllib.loads(text).get("build-system") if text else None
    requires = system.get("requires") if isinstance(system, dict) else None
    if requires is None:
        return list(_DEFAULT_BUILD)
    if not isinstance(requires, list) or not all(isinstance(line, str) for line in requires):
        raise ValueError("its pyproject.toml has no list of build requirements")
    return requires


def _list_run_needs(files: dict[str, str]) -> list[str]:
    """Take what setuptools wrote beside the sources; else what newer metadata say."""
    text = _find(files, ".egg-info/requires.txt")
    if text is not None:
        return list(_parse_requires(text))
    headers = HeaderParser().parsestr(_find(files, "/PKG-INFO") or "")
    return [line for line in headers.get_all("Requires-Dist", []) if not _is_extra(line)]


def _parse_requires(text: str) -> Iterator[str]:
    """Yield the requirements of a requires.txt: of its head, and of sections that have a marker but no extra."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if match := re.fullmatch(r"\[(.*)\]", line):
            section = match[1]
        elif line and section.startswith(":"):
            yield f"{line} ; {section[1:]}"
        elif line and not section:
            yield line


def _is_extra(line: str) -> bool:
    try:
        return "extra" in str(Requirement(line).marker or "")
    except InvalidRequirement:
        return False
