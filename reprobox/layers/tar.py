"""Write canonical tars: every byte is a function of the entries, nothing of the machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import BinaryIO, NamedTuple, assert_never

from reprobox.errors import BuildError
from reprobox.layers.model import EPOCH

BLOCK = 512
CHUNK = 1 << 20
WHITEOUT = ".wh."
"""Prefix of the name that says, in a layer, that a lower layer's file is gone."""
_RECORD = 20 * BLOCK
EMPTY_DIGEST = f"sha256:{hashlib.sha256(bytes(_RECORD)).hexdigest()}"
"""Of a tar without entries."""
_OCTAL_7 = 8**7 - 1
_OCTAL_11 = 8**11 - 1
_XATTR = "SCHILY.xattr."


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIR = "dir"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    WHITEOUT = "whiteout"


class Entry(NamedTuple):
    """One file, folder or link of a layer; made by the ten thousand, so a plain tuple."""

    path: str
    """Relative to the root, forward slashes, no trailing one; undecodable bytes as surrogates.
    Of a whiteout: the path that is gone."""
    kind: Kind
    mode: int = 0o644
    """Permission bits only."""
    uid: int = 0
    gid: int = 0
    size: int = 0
    """Bytes of data; 0 for everything but files."""
    link: str = ""
    """Target of a symbolic link, or the path of the file that a hard link shares."""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """Extended attributes, sorted by name."""


def make_file(path: str, size: int, *, executable: bool = False) -> Entry:
    """Return root's file of ``size`` bytes with mode 0644, or 0755."""
    return Entry(path, Kind.FILE, 0o755 if executable else 0o644, size=size)


def make_dir(path: str) -> Entry:
    """Return root's folder with mode 0755."""
    return Entry(path, Kind.DIR, 0o755)


def make_symlink(path: str, target: str) -> Entry:
    """Return root's symbolic link (mode 0777, as Linux has it)."""
    return Entry(path, Kind.SYMLINK, 0o777, link=target)


def tar_name(entry: Entry) -> bytes:
    """Return the name ``entry`` has in the tar (no trailing slash): what entries are sorted by."""
    if entry.kind is Kind.WHITEOUT:
        folder, slash, name = entry.path.rpartition("/")
        return _encode(f"{folder}{slash}{WHITEOUT}{name}")
    return _encode(entry.path)


def check_path(path: str) -> None:
    """Raise ``BuildError`` unless ``path`` names something below the root in exactly one way."""
    if not path or "\0" in path or path[0] == "/" or path[-1] == "/":
        raise BuildError(f"layer entry {path!r}: not a relative path without a trailing slash")
    if "." in path or "//" in path:
        for part in path.split("/"):
            if part in ("", ".", ".."):
                raise BuildError(f"layer entry {path!r}: has the part {part!r}")


def sort_entries(entries: Iterable[Entry]) -> list[tuple[Entry, str]]:
    """Sort entries as a tar wants them, and make the first name of each hard-linked file the file itself.

    Returns each entry with the path, among those given, under which its data is to be found.
    """
    found = {entry.path: entry for entry in entries if entry.kind is not Kind.WHITEOUT}
    gone = [entry for entry in entries if entry.kind is Kind.WHITEOUT]
    first: dict[str, str] = {}
    for path, entry in found.items():
        if entry.kind is Kind.HARDLINK:
            holder = _file_of(entry, found)
            first[holder] = min(first.get(holder, holder), path, key=_encode)
    ordered = sorted([*found.values(), *gone], key=tar_name)
    return [_relink(entry, found, first) for entry in ordered]


def _file_of(entry: Entry, found: dict[str, Entry]) -> str:
    for _ in range(64):
        target = found.get(entry.link)
        if target is None or target.kind not in (Kind.FILE, Kind.HARDLINK):
            break
        if target.kind is Kind.FILE:
            return target.path
        entry = target
    raise BuildError(f"layer entry {entry.path!r}: hard link to {entry.link!r}, which is no file here")


def _relink(entry: Entry, found: dict[str, Entry], first: dict[str, str]) -> tuple[Entry, str]:
    holder = _file_of(entry, found) if entry.kind is Kind.HARDLINK else entry.path
    name = first.get(holder) if entry.kind in (Kind.FILE, Kind.HARDLINK) else None
    if name is None:
        return entry, entry.path
    if name == entry.path:
        return found[holder]._replace(path=name), holder
    return found[holder]._replace(path=entry.path, kind=Kind.HARDLINK, size=0, link=name), holder


class TarWriter:
    """Writes entries, which must come sorted by :func:`tar_name`, to ``out``; ``close`` ends the tar."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._size = 0
        self._last = b""
        self._folder = ""
        self._files: set[str] = set()
        self._others: set[str] = set()

    def add(self, entry: Entry, data: BinaryIO | bytes | None = None) -> None:
        """Write one entry and exactly ``entry.size`` bytes of ``data``.

        Raises ``BuildError`` for a path that is unsafe, out of order or there already, for a file below
        something that is no folder, for a hard link to no earlier file, and for data of another length.
        """
        check_path(entry.path)
        name = tar_name(entry)
        self._check_order(entry, name)
        header = _make_header(entry, name)
        self._write(header)
        if entry.kind is Kind.FILE:
            self._write_data(entry, b"" if data is None else data)

    def close(self) -> None:
        """Write the end mark, padded to a whole record as tar does."""
        self._write(bytes(2 * BLOCK + -(self._size + 2 * BLOCK) % _RECORD))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._size += len(data)

    def _check_order(self, entry: Entry, name: bytes) -> None:
        if name <= self._last:
            problem = "is there twice" if name == self._last else f"must come before {_decode(self._last)!r}"
            raise BuildError(f"layer entry {entry.path!r}: {problem}")
        self._last = name
        self._check_parents(entry)
        if entry.path.rpartition("/")[2].startswith(WHITEOUT) and entry.kind is not Kind.WHITEOUT:
            raise BuildError(f"layer entry {entry.path!r}: engines would read this name as a removal")
        match entry.kind:
            case Kind.FILE:
                self._files.add(entry.path)
            case Kind.SYMLINK:
                self._others.add(entry.path)
            case Kind.HARDLINK:
                if entry.link not in self._files:
                    raise BuildError(f"layer entry {entry.path!r}: hard link to {entry.link!r}, no earlier file here")
                self._others.add(entry.path)
            case Kind.DIR | Kind.WHITEOUT:
                pass
            case _:
                assert_never(entry.kind)

    def _check_parents(self, entry: Entry) -> None:
        """A file below a symbolic link would be written wherever the link points."""
        folder = entry.path.rpartition("/")[0]
        if folder == self._folder:
            return
        self._folder = folder
        while folder:
            if folder in self._files or folder in self._others:
                raise BuildError(f"layer entry {entry.path!r}: {folder!r} is no folder")
            folder = folder.rpartition("/")[0]

    def _write_data(self, entry: Entry, data: BinaryIO | bytes) -> None:
        if isinstance(data, bytes):
            if len(data) != entry.size:
                raise _wrong_length(entry, len(data))
            self._write(data)
        else:
            self._copy_data(entry, data)
        if padding := -entry.size % BLOCK:
            self._write(bytes(padding))

    def _copy_data(self, entry: Entry, data: BinaryIO) -> None:
        left = entry.size
        while left:
            chunk = data.read(min(left, CHUNK))
            if not chunk:
                raise _wrong_length(entry, entry.size - left)
            self._write(chunk)
            left -= len(chunk)
        if data.read(1):
            raise BuildError(f"layer entry {entry.path!r}: has more than its {entry.size} bytes")


def _wrong_length(entry: Entry, length: int) -> BuildError:
    return BuildError(f"layer entry {entry.path!r}: {length} bytes of data instead of {entry.size}")


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise BuildError(f"layer entry {text!r}: a name that has no bytes") from exc


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


_TYPE = {Kind.FILE: b"0", Kind.WHITEOUT: b"0", Kind.HARDLINK: b"1", Kind.SYMLINK: b"2", Kind.DIR: b"5"}


def _make_header(entry: Entry, name: bytes) -> bytes:
    """Return the header block, preceded by a PAX header where USTAR cannot say everything."""
    path, kind, mode, uid, gid, size, link_text, xattrs = entry
    link = _encode(link_text)
    if kind is Kind.DIR:
        name += b"/"
    if not (0 <= mode <= 0o7777 and uid >= 0 and gid >= 0 and size >= 0) or (size and kind is not Kind.FILE):
        raise BuildError(f"layer entry {path!r}: mode, owner or size out of range")
    if b"\0" in link or bool(link) != (kind in (Kind.SYMLINK, Kind.HARDLINK)):
        raise BuildError(f"layer entry {path!r}: link target {link_text!r}")
    prefix, short = _split_name(name)
    if short is not None and not xattrs and len(link) <= 100 and link.isascii() and _fits(uid, gid, size):
        return _pack(short, prefix, _owner(mode, uid, gid), size, _TYPE[kind], link)
    return _make_pax(entry, name, link) + _pack(
        _ascii(name)[:100],
        b"",
        _owner(mode, min(uid, _OCTAL_7), min(gid, _OCTAL_7)),
        size if size <= _OCTAL_11 else 0,
        _TYPE[kind],
        _ascii(link)[:100],
    )


def _fits(uid: int, gid: int, size: int) -> bool:
    return uid <= _OCTAL_7 and gid <= _OCTAL_7 and size <= _OCTAL_11


def _ascii(name: bytes) -> bytes:
    return name if name.isascii() else bytes(byte if byte < 128 else 0x5F for byte in name)


def _split_name(name: bytes) -> tuple[bytes, bytes | None]:
    """Split into USTAR's prefix and name fields; the name is ``None`` when it does not fit."""
    if not name.isascii():
        return b"", None
    if len(name) <= 100:
        return b"", name
    cut = name[:156].rfind(b"/", 0, len(name) - 1)
    if cut <= 0 or len(name) - cut - 1 > 100:
        return b"", None
    return name[:cut], name[cut + 1 :]


@lru_cache(maxsize=256)
def _owner(mode: int, uid: int, gid: int) -> bytes:
    return b"%07o\0%07o\0%07o\0" % (mode, uid, gid)


_MTIME = b"%011o\0" % EPOCH
_AFTER_LINK = b"ustar\x0000" + bytes(64) + b"0000000\x000000000\0"


def _pack(name: bytes, prefix: bytes, owner: bytes, size: int, kind: bytes, link: bytes) -> bytes:
    front = b"%s%s%011o\0%s" % (name.ljust(100, b"\0"), owner, size, _MTIME)
    back = b"%s%s%s%s" % (kind, link.ljust(100, b"\0"), _AFTER_LINK, prefix.ljust(167, b"\0"))
    checksum = sum(front) + sum(back) + 8 * 32
    return b"%s%06o\0 %s" % (front, checksum, back)


def _make_pax(entry: Entry, name: bytes, link: bytes) -> bytes:
    values = {f"{_XATTR}{key}": value for key, value in entry.xattrs}
    if len(values) != len(entry.xattrs) or any("=" in key or "\0" in key for key in values):
        raise BuildError(f"layer entry {entry.path!r}: extended attribute names {[key for key, _ in entry.xattrs]}")
    if _split_name(name)[1] is None:
        values["path"] = name
    if len(link) > 100 or not link.isascii():
        values["linkpath"] = link
    for key, number, limit in (
        ("uid", entry.uid, _OCTAL_7),
        ("gid", entry.gid, _OCTAL_7),
        ("size", entry.size, _OCTAL_11),
    ):
        if number > limit:
            values[key] = b"%d" % number
    if not (_is_utf8(values.get("path", b"")) and _is_utf8(values.get("linkpath", b""))):
        values["hdrcharset"] = b"BINARY"
    if "path" not in values and len(name) > 100:
        values["path"] = name
    body = b"".join(_pax_record(key.encode(), values[key]) for key in sorted(values))
    head = _pack(b"././@PaxHeader", b"", _owner(0, 0, 0), len(body), b"x", b"")
    return head + body + bytes(-len(body) % BLOCK)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _pax_record(key: bytes, value: bytes) -> bytes:
    """``"<length> <key>=<value>\\n"``, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length += 1
    return b"%d %s=%s\n" % (length, key, value)
