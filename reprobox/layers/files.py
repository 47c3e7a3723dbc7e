"""Make layers of files that are at hand: the venv's own, the runtime, the project's source."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from reprobox.errors import BuildError
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import Entry, Kind, TarWriter, make_dir, make_file, make_symlink, tar_name
from reprobox.layers.wheel_files import VENV, site_packages
from reprobox.lock import PythonTarget

FileItem = tuple[Entry, bytes | Path | None]
"""An entry and its data: bytes, a file of this machine, or nothing for folders and links."""
VENV_DIFFERENCES = ("bin/Activate.ps1", "bin/activate", "bin/activate.csh", "bin/activate.fish")
"""What ``python -m venv`` makes and :func:`venv_entries` leaves out: the image's PATH is the activation."""
_GITIGNORE = b"# Created by venv; see https://docs.python.org/3/library/venv.html\n*\n"


def make_files_layer(
    entries: Sequence[FileItem],
    key: str,
    what: str,
    store: LayerStore,
    *,
    digests: Mapping[str, str] | None = None,
) -> Layer:
    """Return the layer of ``entries``, which may come in any order; ``key`` must change whenever they do.

    Raises ``BuildError`` for a file that has another size than its entry, or another sha256 than ``digests``
    (by entry path) says: it was changed while the image was made.
    """

    def write(out: BinaryIO) -> None:
        writer = TarWriter(out)
        for entry, data in sorted(entries, key=lambda item: tar_name(item[0])):
            _add_item(writer, entry, data, (digests or {}).get(entry.path))
        writer.close()

    return store.make(key, what, write)


def venv_entries(python: PythonTarget) -> tuple[tuple[Entry, bytes | None], ...]:
    """Return what ``<executable> -m venv --without-pip /opt/venv`` makes, but for :data:`VENV_DIFFERENCES`."""
    minor = int(python.short.split(".")[1])
    folders = ["opt", VENV, f"{VENV}/bin", f"{VENV}/include", f"{VENV}/lib"]
    folders += [posixpath.dirname(site_packages(python)), site_packages(python)]
    items: list[tuple[Entry, bytes | None]] = [
        (make_symlink(f"{VENV}/lib64", "lib"), None),
        *((make_symlink(f"{VENV}/bin/{name}", target), None) for name, target in _interpreter_links(python)),
        _file(f"{VENV}/pyvenv.cfg", _venv_config(python, minor)),
    ]
    if minor >= 11:
        folders.append(f"{VENV}/include/python{python.short}")
    if minor >= 13:
        items.append(_file(f"{VENV}/.gitignore", _GITIGNORE))
    items += [(make_dir(folder), None) for folder in folders]
    return tuple(sorted(items, key=lambda item: tar_name(item[0])))


def _interpreter_links(python: PythonTarget) -> list[tuple[str, str]]:
    own = posixpath.basename(python.executable)
    others = {"python", "python3", f"python{python.short}"} - {own}
    return [(own, python.executable), *((name, own) for name in sorted(others))]


def _venv_config(python: PythonTarget, minor: int) -> bytes:
    lines = [f"home = {posixpath.dirname(python.executable)}", "include-system-site-packages = false"]
    lines.append(f"version = {python.version}")
    if minor >= 11:
        lines += [f"executable = {python.executable}", f"command = {python.executable} -m venv --without-pip /{VENV}"]
    return "".join(f"{line}\n" for line in lines).encode()


def _file(path: str, data: bytes) -> tuple[Entry, bytes]:
    return make_file(path, len(data)), data


def _add_item(writer: TarWriter, entry: Entry, data: bytes | Path | None, digest: str | None) -> None:
    if not isinstance(data, Path):
        writer.add(entry, data)
        return
    if entry.kind is not Kind.FILE:
        raise BuildError(f"layer entry {entry.path!r}: a {entry.kind} has no data")
    with _open_source(data) as stream:
        hashing = _HashingReader(data, stream)
        if os.fstat(stream.fileno()).st_size != entry.size:
            raise _changed(data)
        writer.add(entry, cast(BinaryIO, hashing))
    if digest is not None and hashing.digest.hexdigest() != digest:
        raise _changed(data)


def _open_source(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _changed(path: Path) -> BuildError:
    return BuildError(f"{path}: was changed while the image was made", hint="build again")


def _unreadable(path: Path, exc: OSError) -> BuildError:
    return BuildError(f"{path}: cannot be read ({exc.strerror})")


class _HashingReader:
    """A file that hashes what is read from it, and whose read errors are not taken for the cache's write errors."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path = path
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        try:
            data = self._stream.read(size)
        except OSError as exc:
            raise _unreadable(self._path, exc) from exc
        self.digest.update(data)
        return data
