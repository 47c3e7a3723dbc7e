"""Read a zip archive's members fast, trusting nothing it says of itself."""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from reprobox.errors import BuildError

try:
    from isal import isal_zlib as _zlib
except ImportError:  # no wheel of it for this machine: the same bytes, slower
    _zlib = zlib  # type: ignore[misc]

_ZLIB_ERRORS: tuple[type[Exception], ...] = (zlib.error, _zlib.error)  # type: ignore[assignment]  # a stub's slip
WHOLE = 1 << 22
"""Members up to this size are inflated in one go, larger ones a piece at a time."""
_PIECE = 1 << 20
_MOST_BYTES = 1 << 36
"""64 GiB unpacked: no wheel comes near, a zip bomb passes it quickly."""
_MOST_RATIO = 1032
"""What deflate can do at most; a member that claims more lies (https://zlib.net/zlib_tech.html)."""
_HOSTILE = re.compile(r"[\x00-\x1f\x7f\\]|^/|^[A-Za-z]:|(^|/)\.{0,2}(/|$)")


class Member(NamedTuple):
    """One file of the archive; ``offset`` is where its packed bytes start."""

    name: str
    deflated: bool
    crc: int
    packed: int
    size: int
    offset: int
    executable: bool


class _Inflater(Protocol):
    eof: bool
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class ZipMembers:
    """The files of an open archive, in its own order, by name; folders are left out."""

    def __init__(self, descriptor: int, what: str, members: dict[str, Member]) -> None:
        self._descriptor = descriptor
        self.what = what
        self.members = members

    def read_file(self) -> Iterator[bytes]:
        """Yield the archive's own bytes."""
        start = 0
        while data := os.pread(self._descriptor, _PIECE, start):
            yield data
            start += len(data)

    def read(self, member: Member) -> bytes:
        """Return the whole member."""
        if member.size > WHOLE:
            return b"".join(self.stream(member))
        data = self._pread(member, 0, member.packed)
        if member.deflated:
            inflater = _zlib.decompressobj(-15)
            data = self._inflate(inflater, data, member.size + 1, member)
            if not inflater.eof:
                raise self._bad(member, "is longer than it says or damaged")
        self._check(member, len(data), _zlib.crc32(data))
        return data

    def stream(self, member: Member) -> Iterator[bytes]:
        """Yield the member in pieces; the last of them only after size and checksum proved right."""
        size = checksum = 0
        last = b""
        for piece in self._inflate_pieces(member) if member.deflated else self._packed_pieces(member):
            if last:
                yield last
            size += len(piece)
            if size > member.size:
                raise self._bad(member, "is longer than it says")
            checksum = _zlib.crc32(piece, checksum)
            last = piece
        self._check(member, size, checksum)
        yield last

    def _packed_pieces(self, member: Member) -> Iterator[bytes]:
        for start in range(0, member.packed, _PIECE):
            yield self._pread(member, start, min(_PIECE, member.packed - start))

    def _inflate_pieces(self, member: Member) -> Iterator[bytes]:
        inflater: _Inflater = _zlib.decompressobj(-15)
        for packed in self._packed_pieces(member):
            pending = packed
            while pending and not inflater.eof:
                yield self._inflate(inflater, pending, 4 * _PIECE, member)
                pending = inflater.unconsumed_tail
        while not inflater.eof and (piece := self._inflate(inflater, b"", 4 * _PIECE, member)):
            yield piece
        if not inflater.eof:
            raise self._bad(member, "ends in the middle")

    def _inflate(self, inflater: _Inflater, data: bytes, limit: int, member: Member) -> bytes:
        try:
            return inflater.decompress(data, limit)
        except _ZLIB_ERRORS as exc:
            raise self._bad(member, f"is damaged ({exc})") from exc

    def _pread(self, member: Member, start: int, size: int) -> bytes:
        data = os.pread(self._descriptor, size, member.offset + start)
        if len(data) != size:
            raise self._bad(member, "lies beyond the end of the file")
        return data

    def _check(self, member: Member, size: int, checksum: int) -> None:
        if size != member.size:
            raise self._bad(member, f"has {size} bytes instead of {member.size}")
        if checksum != member.crc:
            raise self._bad(member, "is damaged: its checksum is wrong")

    def _bad(self, member: Member, problem: str) -> BuildError:
        return bad_member(self.what, member.name, problem)


def bad_member(what: str, name: str, problem: str) -> BuildError:
    """Return the error that names the archive and its member."""
    return BuildError(
        f"{what}: {name[:80]!r} {problem}", hint="the file is damaged or hostile; do not install it by hand either"
    )


@contextmanager
def open_zip(path: Path, what: str) -> Iterator[ZipMembers]:
    """Open the archive and check its whole table of contents; every complaint starts with ``what``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise BuildError(f"{what}: cannot be read ({exc.strerror})") from exc
    try:
        yield ZipMembers(descriptor, what, _read_members(descriptor, what))
    finally:
        os.close(descriptor)


def _read_members(descriptor: int, what: str) -> dict[str, Member]:
    infos = _read_directory(descriptor, what)
    if sum(info.file_size for info in infos) > _MOST_BYTES:
        raise BuildError(f"{what}: would unpack to more than {_MOST_BYTES >> 30} GiB")
    members: dict[str, Member] = {}
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        _check_info(info, what)
        member = _locate(descriptor, info, what)
        if info.header_offset < end:
            raise bad_member(what, info.filename, "shares its bytes with another member")
        end = member.offset + member.packed
        if info.is_dir():
            continue
        if member.name in members:
            raise bad_member(what, info.filename, "is there twice")
        members[member.name] = member
    return members


def _read_directory(descriptor: int, what: str) -> list[zipfile.ZipInfo]:
    try:
        with os.fdopen(os.dup(descriptor), "rb") as stream, zipfile.ZipFile(stream) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, IndexError, struct.error, OSError) as exc:
        raise BuildError(f"{what}: is no readable zip archive ({exc})") from exc


def _check_info(info: zipfile.ZipInfo, what: str) -> None:
    name = info.orig_filename
    if name != info.filename or _HOSTILE.search(name[:-1] if name.endswith("/") else name):
        raise bad_member(what, name, "has a name that could lead out of the environment")
    if info.flag_bits & 0x41:
        raise bad_member(what, name, "is encrypted")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > info.is_dir():
        raise bad_member(what, name, "is neither a file nor a folder")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise bad_member(what, name, f"is compressed with method {info.compress_type}; wheels use 0 or 8")
    if info.is_dir() and info.file_size:
        raise bad_member(what, name, "is a folder with data in it")
    stored = info.compress_type == zipfile.ZIP_STORED
    if (stored and info.file_size != info.compress_size) or info.file_size > _MOST_RATIO * info.compress_size + 64:
        raise bad_member(what, name, "claims a size that it cannot have")


def _locate(descriptor: int, info: zipfile.ZipInfo, what: str) -> Member:
    """Find the packed bytes behind the member's own header, which must agree with the table of contents."""
    name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    header = os.pread(descriptor, 30 + len(name), max(info.header_offset, 0))
    if len(header) < 30 or header[:4] != b"PK\x03\x04" or info.header_offset < 0:
        raise bad_member(what, info.filename, "is not where the table of contents says")
    flags, method = struct.unpack("<HH", header[6:10])
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    if header[30:] != name or name_length != len(name) or method != info.compress_type or flags & 0x41:
        raise bad_member(what, info.filename, "has two headers that contradict each other")
    mode = info.external_attr >> 16
    return Member(
        info.filename,
        info.compress_type == zipfile.ZIP_DEFLATED,
        info.CRC,
        info.compress_size,
        info.file_size,
        info.header_offset + 30 + name_length + extra_length,
        stat.S_ISREG(mode) and bool(mode & 0o111),
    )
