"""Read entries from any tar an engine or a package holds (USTAR, GNU, PAX), refusing hostile names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from reprobox.errors import BuildError
from reprobox.layers.tar import BLOCK, CHUNK, WHITEOUT, Entry, Kind, check_path

_MOST_HEADER = 1 << 20
"""No PAX header or long name is larger; a hostile one could be gigabytes."""
_MOST_HEADERS = 4 * _MOST_HEADER
"""Bytes of headers before one entry, and of all that speak of every later one: they are kept in memory."""
_MOST_DIGITS = 8
_MOST_SHARED = 1000
"""Values that speak of every later entry: they are looked at for each."""
_XATTR = b"SCHILY.xattr."
_KINDS = {b"0": Kind.FILE, b"7": Kind.FILE, b"1": Kind.HARDLINK, b"2": Kind.SYMLINK, b"5": Kind.DIR}
_SPECIAL = {b"3": "a character device", b"4": "a block device", b"6": "a pipe"}


class EntryData:
    """The data of one file, readable until the next entry is asked for."""

    def __init__(self, source: _Source, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes (all that are left when negative), nothing at the end."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.read(wanted)
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Read what is left, in pieces."""
        while self._left:
            self.read(CHUNK)


def read_entries(
    stream: BinaryIO | Iterable[bytes],
    what: str = "the tar",
    *,
    skip_special: bool = False,
    rooted: bool = False,
    whole: bool = False,
    most: int | None = None,
) -> Iterator[tuple[Entry, EntryData | None]]:
    """Yield every entry of an uncompressed tar, with its data where it is a file.

    Names lose a leading ``./`` and a trailing slash, the root itself is left out, ``.wh.`` names become
    whiteouts. Raises ``BuildError`` naming ``what`` for a truncated or damaged tar, a sparse file, an absolute name
    or one with ``..``, and for devices and pipes unless ``skip_special`` leaves them out. ``rooted``: the tar is of a
    whole root file system, where ``/etc`` is ``etc``. ``whole``: nothing but zeros may stand behind its end. ``most``:
    no more entries than these, special ones too.
    """
    source = _Source(stream, what, whole)
    spent = shared_spent = count = 0
    extra: dict[bytes, bytes] = {}
    shared: dict[bytes, bytes] = {}
    while (header := source.read_header()) is not None:
        kind = header[156:157].replace(b"\0", b"0")
        size = _size_of(header, extra if kind not in b"xgLK" else {}, what)
        if kind in b"xgLK":
            spent, shared_spent = spent + size, shared_spent + size * (kind == b"g")
            if max(spent, shared_spent) > _MOST_HEADERS:
                raise BuildError(f"{what} is damaged: headers of more than {_MOST_HEADERS} bytes")
            _read_extension(source, kind, size, extra, shared)
            continue
        spent, count = 0, count + 1
        if most is not None and count > most:
            raise BuildError(f"{what} holds more than {most} files")
        merged = {**shared, **extra}
        extra = {}
        data = EntryData(source, size if kind in b"07" or kind not in b"123456" else 0)
        entry = _make_entry(header, kind, size, merged, what, skip_special, rooted)
        if entry is not None:
            yield entry, data if entry.kind is Kind.FILE else None
        data.skip()
        source.read(-size % BLOCK if kind in b"07" else 0)


class _Source:
    """A stream or chunks, read in exact amounts."""

    def __init__(self, stream: BinaryIO | Iterable[bytes], what: str, whole: bool) -> None:
        self._chunks = _chunks_of(stream)
        self._buffer = memoryview(b"")
        self._what = what
        self._whole = whole

    def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes, or raise."""
        parts = []
        while size:
            if not self._buffer:
                self._buffer = memoryview(self._next_chunk())
            part = self._buffer[:size]
            self._buffer = self._buffer[len(part) :]
            size -= len(part)
            parts.append(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _next_chunk(self) -> bytes:
        for chunk in self._chunks:
            if chunk:
                return chunk
        raise BuildError(f"{self._what} ends in the middle")

    def read_header(self) -> bytes | None:
        """Return the next header block, or ``None`` after the end mark, with the stream read to its end."""
        header = self.read(BLOCK)
        if header.count(0) == BLOCK:
            for chunk in chain((bytes(self._buffer),), self._chunks):
                if self._whole and chunk.count(0) != len(chunk):
                    raise BuildError(f"{self._what} goes on behind its end")
            return None
        stored = _read_number(header[148:156], self._what)
        if stored != sum(header) - sum(header[148:156]) + 8 * 32:
            raise BuildError(f"{self._what} is damaged: a header's checksum is wrong")
        return header


def _chunks_of(stream: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(stream, "read", None)
    if read is None:
        return iter(stream)
    return iter(lambda: read(CHUNK), b"")


def _read_number(field: bytes, what: str) -> int:
    """Octal digits, or GNU's base 256."""
    if field[0] & 0x80:
        if field[0] & 0x40:
            raise BuildError(f"{what} is damaged: a negative number in a header")
        return int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
    digits = field.strip(b"\0 ").partition(b"\0")[0]
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise BuildError(f"{what} is damaged: {field!r} in a header is no number")
    return int(digits, 8)


def _size_of(header: bytes, extra: dict[bytes, bytes], what: str) -> int:
    if b"size" not in extra:
        return _read_number(header[124:136], what)
    return _decimal(extra, b"size", 0, what)


def _decimal(values: dict[bytes, bytes], key: bytes, default: int, what: str) -> int:
    value = values.get(key)
    if value is None:
        return default
    if not value.isdigit() or len(value) > 19:
        raise BuildError(f"{what} is damaged: {key.decode()} is {value[:40]!r}")
    return int(value)


def _read_extension(
    source: _Source, kind: bytes, size: int, extra: dict[bytes, bytes], shared: dict[bytes, bytes]
) -> None:
    what = source._what
    if size > _MOST_HEADER:
        raise BuildError(f"{what} is damaged: a header of {size} bytes")
    body = source.read(size)
    source.read(-size % BLOCK)
    if kind == b"L":
        extra[b"path"] = body.partition(b"\0")[0]
    elif kind == b"K":
        extra[b"linkpath"] = body.partition(b"\0")[0]
    else:
        (extra if kind == b"x" else shared).update(_parse_pax(body, what))
        if len(shared) > _MOST_SHARED:
            raise BuildError(f"{what} is damaged: more than {_MOST_SHARED} values for all entries")


def _parse_pax(body: bytes, what: str) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    start = 0
    while start < len(body):
        digits = body[start : start + _MOST_DIGITS + 1].partition(b" ")[0]
        length = int(digits) if digits.isdigit() and len(digits) <= _MOST_DIGITS else 0
        key, equals, value = body[start + len(digits) + 1 : start + length].partition(b"=")
        if not len(digits) < length <= len(body) - start or not equals or value[-1:] != b"\n":
            raise BuildError(f"{what} is damaged: a PAX record")
        values[key] = value[:-1]
        start += length
    return values


def _make_entry(
    header: bytes, kind: bytes, size: int, values: dict[bytes, bytes], what: str, skip_special: bool, rooted: bool
) -> Entry | None:
    raw = values.get(b"path") or _header_name(header)
    path = _clean_name(raw, what, rooted)
    if not path:
        return None
    if kind in _SPECIAL:
        if skip_special:
            return None
        raise BuildError(f"{what}: {path!r} is {_SPECIAL[kind]}")
    found = _KINDS.get(kind)
    if found is None or any(key.startswith(b"GNU.sparse") for key in values):
        raise BuildError(f"{what}: {path!r} is of a kind that has no place in a layer (type {kind!r})")
    if found is Kind.FILE and raw.endswith(b"/"):
        found = Kind.DIR  # how tars older than USTAR mark folders
    link = ""
    if found in (Kind.SYMLINK, Kind.HARDLINK):
        raw_link = values.get(b"linkpath") or header[157:257].partition(b"\0")[0]
        link = _clean_name(raw_link, what, rooted) if found is Kind.HARDLINK else _decode(raw_link)
        if not link:
            raise BuildError(f"{what}: {path!r} is a link to nothing")
    return _finish_entry(header, path, found, size, link, values, what)


def _finish_entry(
    header: bytes, path: str, kind: Kind, size: int, link: str, values: dict[bytes, bytes], what: str
) -> Entry:
    folder, slash, name = path.rpartition("/")
    if name.startswith(WHITEOUT):
        if kind is not Kind.FILE or name == WHITEOUT:
            raise BuildError(f"{what}: {path!r} is no removal, but engines would read it as one")
        kind, path, size = Kind.WHITEOUT, f"{folder}{slash}{name[len(WHITEOUT) :]}", 0
        check_path(path)
    xattrs = sorted((_decode(key[len(_XATTR) :]), value) for key, value in values.items() if key.startswith(_XATTR))
    return Entry(
        path,
        kind,
        _read_number(header[100:108], what) & 0o7777,
        _decimal(values, b"uid", _read_number(header[108:116], what), what),
        _decimal(values, b"gid", _read_number(header[116:124], what), what),
        size if kind is Kind.FILE else 0,
        link,
        tuple(xattrs),
    )


def _header_name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    if header[257:263] == b"ustar\0":
        prefix = header[345:500].partition(b"\0")[0]
        return prefix + b"/" + name if prefix else name
    return name


def _clean_name(raw: bytes, what: str, rooted: bool) -> str:
    name = _decode(raw)
    if (name.startswith("/") and not rooted) or "\0" in name:
        raise BuildError(f"{what}: the name {name!r} is absolute or damaged")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BuildError(f"{what}: the name {name!r} leaves the root")
    return "/".join(parts)


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
