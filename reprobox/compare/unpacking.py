"""Unpack a compressed file, whatever the method; when it was packed is no content."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened, spool

_SUFFIXES = {".gz", ".bz2", ".xz", ".lzma", ".z"}
_PIECE = 1 << 22
_MOST_MEMORY = 1 << 28
"""Bytes that a dictionary of LZMA may take."""


@contextmanager
def unpack(file: Opened) -> Iterator[Opened]:
    """Unpack into a nameless file, called as before without the suffix; joblib's have none."""
    path = PurePath(file.name)
    name = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    head = file.read_at(0, 6)
    unpacker: Callable[[Opened], Iterator[bytes]] = _inflate
    if head.startswith((b"BZh", b"\xfd7zXZ", b"\x5d\0\0")):
        unpacker = _decompress
    with spool(lambda: unpacker(file), name) as inner:
        yield inner


def _inflate(file: Opened) -> Iterator[bytes]:
    """Unpack gzip, one member after the other, or zlib."""
    inflater = zlib.decompressobj(47)
    for piece in file.pieces():
        data = piece
        while data:
            if inflater.eof:
                inflater = zlib.decompressobj(47)
            yield inflater.decompress(data, _PIECE)
            data = inflater.unconsumed_tail or inflater.unused_data
    while not inflater.eof and (rest := inflater.decompress(b"", _PIECE)):
        yield rest
    if not inflater.eof:
        raise NotComparable("ends_early")


def _decompress(file: Opened) -> Iterator[bytes]:
    """Unpack bzip2, or LZMA in either of its formats."""
    pieces = file.pieces()
    unpacker = _make_unpacker(file.read_at(0, 1))
    rest = b""
    while True:
        data = rest or (next(pieces, b"") if unpacker.needs_input or unpacker.eof else b"")
        if unpacker.eof:
            if not data:
                return
            unpacker = _make_unpacker(data[:1])
        elif not data and unpacker.needs_input:
            raise NotComparable("ends_early")
        yield unpacker.decompress(data, _PIECE)
        rest = unpacker.unused_data if unpacker.eof else b""


def _make_unpacker(first: bytes) -> bz2.BZ2Decompressor | lzma.LZMADecompressor:
    return bz2.BZ2Decompressor() if first == b"B" else lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
