"""Read a .deb: an ar archive around a compressed tar. What is in it is not trusted."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from reprobox.errors import BuildError
from reprobox.files import FULL_DISK

_MAGIC = b"!<arch>\n"
_HEADER = 60


@contextmanager
def open_deb_data(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open the tar of a .deb's files, uncompressed; raise ``BuildError`` naming ``what`` for anything else.

    Errors of decompression that come while reading are translated too.
    """
    with path.open("rb") as stream:
        name, size = _find_data(stream, what)
        member = cast(BinaryIO, _Member(stream, size))
        try:
            yield _decompress(name, member, what)
        except OSError as exc:
            if exc.errno in FULL_DISK:  # it is whoever reads that has no room, not the package that is damaged
                raise
            raise BuildError(f"{what} is damaged: {name}: {exc}") from exc
        except (lzma.LZMAError, zstandard.ZstdError, EOFError) as exc:
            raise BuildError(f"{what} is damaged: {name}: {exc}") from exc


def _find_data(stream: BinaryIO, what: str) -> tuple[str, int]:
    """Leave ``stream`` at the data member; return its name and size."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise BuildError(f"{what} is no Debian package")
    while len(header := stream.read(_HEADER)) == _HEADER:
        name, digits = header[:16].decode("ascii", "replace").rstrip(" /"), header[48:58].strip()
        if header[58:60] != b"`\n" or not digits.isdigit():
            break
        size = int(digits)
        if name.startswith("data.tar"):
            return name, size
        stream.seek(size + size % 2, 1)
    raise BuildError(f"{what} is no Debian package: there is no data in it")


def _decompress(name: str, member: BinaryIO, what: str) -> BinaryIO:
    match name.removeprefix("data.tar"):
        case "":
            return member
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(member))
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=member))
        case ".zst":
            return cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(member, read_across_frames=True))
        case other:
            raise BuildError(f"{what}: {other!r} is no compression that Debian packages have")


class _Member:
    """The next ``size`` bytes of a stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data
