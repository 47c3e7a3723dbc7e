"""Collect the files of a layer in any order, then write them as a canonical tar."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from reprobox.layers.tar import CHUNK, Entry, Kind, TarWriter, sort_entries


class Readable(Protocol):
    """Anything to read data from."""

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, nothing at the end."""


class Tree:
    """Entries by path; a later one replaces an earlier. Data waits in one unnamed file in ``folder``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.hashes: dict[str, str] = {}
        """sha256 of each file's data, in hexadecimal."""
        self._offsets: dict[str, int] = {}
        self._spool = cast(BinaryIO, tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed by __exit__
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def add(self, entry: Entry, data: Readable | bytes | None = None) -> None:
        """Keep an entry and, of a file, its data."""
        self.entries[entry.path] = entry
        if entry.kind is not Kind.FILE:
            return
        digest = hashlib.sha256()
        start = self._end
        while chunk := data.read(CHUNK) if data is not None and not isinstance(data, bytes) else data:
            digest.update(chunk)
            self._spool.write(chunk)
            self._end += len(chunk)
            if isinstance(data, bytes):
                break
        self._offsets[entry.path] = start
        self.hashes[entry.path] = digest.hexdigest()

    def remove(self, path: str) -> None:
        """Forget an entry that is there; hard links to it go on sharing its data."""
        entry = self.entries.pop(path)
        if entry.kind is not Kind.FILE:
            return
        heirs = sorted(one.path for one in self.entries.values() if one.kind is Kind.HARDLINK and one.link == path)
        for heir in heirs:
            self.entries[heir] = self.entries[heir]._replace(link=heirs[0])
        if heirs:
            self.entries[heirs[0]] = entry._replace(path=heirs[0])
            self._offsets[heirs[0]] = self._offsets[path]
            self.hashes[heirs[0]] = self.hashes[path]

    def forget_last(self, entry: Entry) -> None:
        """Take back the file that was added last, freeing the room its data took."""
        del self.entries[entry.path]
        del self.hashes[entry.path]
        self._end = self._offsets.pop(entry.path)
        self._spool.seek(self._end)

    def write(self, out: BinaryIO) -> None:
        """Write everything as one canonical tar."""
        writer = TarWriter(out)
        for entry, holder in sort_entries(self.entries.values()):
            if entry.kind is Kind.FILE:
                writer.add(entry, cast(BinaryIO, self._open(holder, entry.size)))
            else:
                writer.add(entry)
        writer.close()

    def _open(self, path: str, size: int) -> Readable:
        self._spool.flush()
        self._spool.seek(self._offsets[path])
        return _Slice(self._spool, size)


class _Slice:
    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def find_differences(one: Tree, other: Tree) -> tuple[str, ...]:
    """Return the paths at which two trees hold something else, sorted."""
    paths = sorted(one.entries.keys() | other.entries.keys())
    return tuple(
        path
        for path in paths
        if one.entries.get(path) != other.entries.get(path) or one.hashes.get(path) != other.hashes.get(path)
    )
