"""Read a container's exported root file system, leaving out what the engine, the clock and the machine put in."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from reprobox.layers.read_tar import EntryData, read_entries
from reprobox.layers.tar import Entry, Kind

_ENGINE_FILES = frozenset(
    (".dockerenv", "run/.containerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab")
)
"""Files that engines make in every container, or mount over."""
_MOUNTED = ("dev/", "proc/", "sys/")
_MOUNT_POINTS = frozenset(("dev", "proc", "sys"))
_VOLATILE = ("run/", "tmp/", "var/tmp/", "root/.cache/", "var/cache/ldconfig/", "var/cache/fontconfig/")
_CAPABILITY = "security.capability"


def read_root_files(chunks: Iterable[bytes], what: str) -> Iterator[tuple[Entry, EntryData | None]]:
    """Yield the entries of an exported root file system that are a layer's business.

    Devices, pipes and the engine's own files are left out, as is what lies in folders for passing things; of the
    extended attributes only file capabilities stay, in the form that has no user namespace in it.
    """
    for entry, data in read_entries(chunks, what, skip_special=True, rooted=True):
        if is_of_machine(entry.path):
            continue
        if entry.path in _MOUNT_POINTS:
            entry = entry._replace(mode=0o755)
        yield entry._replace(xattrs=_keep_capability(entry.xattrs)), data


def is_of_machine(path: str) -> bool:
    """Whether ``path`` belongs to the engine or the moment and never to a layer."""
    if path in _ENGINE_FILES or path.startswith(_MOUNTED):
        return True
    return path.startswith(_VOLATILE)


def _keep_capability(xattrs: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, _plain_capability(value)) for name, value in xattrs if name == _CAPABILITY)


def _plain_capability(value: bytes) -> bytes:
    """Turn version 3 (which names the root of a user namespace) into version 2; see capabilities(7)."""
    if len(value) != 24:
        return value
    magic = struct.unpack("<I", value[:4])[0]
    return struct.pack("<I", 0x02000000 | magic & 0x00FFFFFF) + value[4:20]


def is_dated_bytecode(entry: Entry, head: bytes) -> bool:
    """Whether a file is bytecode that holds its source's time: useless once every time is the epoch (PEP 552)."""
    return entry.kind is Kind.FILE and entry.path.endswith(".pyc") and len(head) >= 8 and head[4:8] == bytes(4)
