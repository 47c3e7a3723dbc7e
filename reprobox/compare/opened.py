"""Open a file that a stranger's program left, and read it in bounded pieces."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from reprobox.compare.model import NotComparable

PIECE = 1 << 20
_LONGEST_LINE = 1 << 24
_MOST_UNPACKED = 1 << 32
"""4 GiB: what a packed file inside a file may unpack to, on disk."""


@dataclass(frozen=True)
class Opened:
    """A regular file that is open for reading."""

    descriptor: int
    size: int
    name: str
    """For its suffix only: where the file lies is in the descriptor."""

    @property
    def path(self) -> Path:
        """A path to the open file itself, whatever happens to its name."""
        return Path(f"/proc/self/fd/{self.descriptor}")

    def read_at(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes at ``offset``, fewer at the file's end."""
        pieces = []
        while size and (piece := os.pread(self.descriptor, size, offset)):
            pieces.append(piece)
            offset, size = offset + len(piece), size - len(piece)
        return b"".join(pieces)

    def pieces(self, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """Yield the file, or ``size`` bytes of it from ``offset``."""
        left = self.size - offset if size is None else size
        while left > 0 and (piece := os.pread(self.descriptor, min(PIECE, left), offset)):
            yield piece
            offset, left = offset + len(piece), left - len(piece)

    def read_whole(self, most: int) -> bytes:
        """Return everything; raise ``NotComparable`` for more than ``most`` bytes."""
        if self.size > most:
            raise NotComparable("bytes_more", bytes=self.size, most=most)
        return self.read_at(0, self.size)

    def lines(self) -> Iterator[str]:
        """Yield the lines without their ends; bytes that are no UTF-8 stay what they are, as surrogates."""
        with os.fdopen(os.dup(self.descriptor), "rb") as stream:
            stream.seek(0)
            while line := stream.readline(_LONGEST_LINE + 1):
                if len(line) > _LONGEST_LINE:
                    raise NotComparable("line_long", most=_LONGEST_LINE >> 20)
                yield line.decode("utf-8", "surrogateescape")


@contextmanager
def open_file(path: Path) -> Iterator[Opened]:
    """Open a regular file; a link, a pipe, a device, a folder is ``NotComparable``, and none of them is waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if path.is_symlink():
            raise NotComparable("is_link") from exc
        raise NotComparable("cannot_open", error=str(exc.strerror)) from exc
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotComparable("no_regular_file")
        yield Opened(descriptor, status.st_size, path.name)
    finally:
        os.close(descriptor)


@contextmanager
def spool(pieces: Callable[[], Iterator[bytes]], name: str) -> Iterator[Opened]:
    """Unpack a file that lies in another one into a nameless file of its own."""
    with TemporaryFile(buffering=0) as stream:
        size = 0
        for piece in pieces():
            size += len(piece)
            if size > _MOST_UNPACKED:
                raise NotComparable("unpacks_more", most=_MOST_UNPACKED >> 30)
            stream.write(piece)
        yield Opened(stream.fileno(), size, name)


def same_pieces(one: Iterator[bytes], other: Iterator[bytes]) -> bool:
    """Whether two streams hold the same bytes, however they are cut."""
    return all(a == b for a, b in pair_blocks(one, other, PIECE))


def pair_blocks(one: Iterator[bytes], other: Iterator[bytes], size: int) -> Iterator[tuple[bytes, bytes]]:
    """Cut two streams into blocks of ``size`` bytes and yield them in pairs until both are at their end."""
    blocks, others = _cut(one, size), _cut(other, size)
    while True:
        pair = next(blocks, b""), next(others, b"")
        if pair == (b"", b""):
            return
        yield pair


def _cut(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest = rest + piece if rest else piece
        whole = len(rest) - len(rest) % size
        for start in range(0, whole, size):
            yield rest[start : start + size]
        rest = rest[whole:]
    if rest:
        yield rest
