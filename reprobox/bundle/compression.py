"""A bundle's bytes, packed and unpacked as a stream of constant memory."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from reprobox.bundle.manifest import refuse
from reprobox.bundle.packing import Compression
from reprobox.errors import BundleError, UsageError
from reprobox.streams import escape_unprintable

_CHUNK = 1 << 20
_WINDOW = 1 << 27
"""Bytes of memory that unpacking zstd may take: what `zstd -d` allows itself too."""
_LEVEL = 3


_MAGIC = {b"\x28\xb5\x2f\xfd": Compression.ZSTD, b"\x1f\x8b": Compression.GZIP}


def pack(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """Yield the packed bytes: the same for the same input and the same version of the library."""
    match compression:
        case Compression.NONE:
            yield from chunks
        case Compression.ZSTD:
            # At least one thread beside this one: with none the frames are cut in another way.
            threads = max(1, len(os.sched_getaffinity(0)))
            packer = zstandard.ZstdCompressor(level=_LEVEL, threads=threads, write_checksum=True).compressobj()
            for chunk in chunks:
                yield packer.compress(chunk)
            yield packer.flush()
        case Compression.GZIP:
            # No name and no time in the header.
            deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
            for chunk in chunks:
                yield deflater.compress(chunk)
            yield deflater.flush()


def detect(path: Path) -> Compression:
    """Say how a file is packed, by its first bytes."""
    with open_plain_file(path) as stream:
        start = stream.read(4)
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), Compression.NONE)


def unpack(path: Path) -> Iterator[bytes]:
    """Yield a file's unpacked bytes, a megabyte at a time whatever they expand to.

    Raises ``BundleError`` for what cannot be unpacked.
    """
    try:
        with open_plain_file(path) as stream:
            match detect(path):
                case Compression.ZSTD:
                    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
                    with unpacker.stream_reader(stream, read_across_frames=True) as reader:
                        yield from iter(lambda: reader.read(_CHUNK), b"")
                case Compression.GZIP:
                    yield from _inflate(stream)
                case Compression.NONE:
                    yield from iter(lambda: stream.read(_CHUNK), b"")
    except (zstandard.ZstdError, zlib.error) as exc:
        raise refuse(f"it cannot be unpacked: {exc}") from exc


def _inflate(stream: BinaryIO) -> Iterator[bytes]:
    inflater = zlib.decompressobj(31)
    while data := stream.read(_CHUNK):
        while data:
            yield inflater.decompress(data, _CHUNK)
            data = inflater.unconsumed_tail
        if inflater.eof:
            if inflater.unused_data or stream.read(1):
                raise refuse("it goes on behind its end")
            return
    raise refuse("it ends in the middle")


def open_plain_file(path: Path) -> BinaryIO:
    """Open a regular file; a pipe or a device is refused and not waited for."""
    shown = escape_unprintable(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise UsageError(f"{shown} cannot be read: {exc.strerror}", hint="name a bundle, NAME.reprobox") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleError(f"{shown} is no regular file", hint="name a bundle, NAME.reprobox")
    return os.fdopen(descriptor, "rb")
