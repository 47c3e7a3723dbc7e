"""Read a bundle in one pass of constant memory, taking nothing in it for granted."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reprobox.bundle.ahead import read_ahead
from reprobox.bundle.compression import unpack
from reprobox.bundle.manifest import LARGEST_MANIFEST, is_safe_path, parse_manifest, refuse
from reprobox.bundle.model import MANIFEST, SIGNATURE, Manifest, blob_path
from reprobox.errors import BuildError, BundleError
from reprobox.layers.model import Layer
from reprobox.layers.read_tar import EntryData, read_entries
from reprobox.layers.tar import BLOCK, Entry, Kind

_CHUNK = 1 << 20
_LARGEST_SIGNATURE = 64 * 1024
_SLACK = 2**20
_HEADERS = 8 * BLOCK
"""Bytes that a member's headers and its padding may take beyond it, and the end of the archive beyond all."""
_NAMES = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
"""What an archive can be to blame for when a file is made."""
_MAGIC_AT = 257
"""Where a tar's header says that it is one."""
MOST_ENTRIES = 2_000_000
"""Files in all layers together; each takes an inode of the engine's disk, though next to nothing of a bundle."""


@dataclass(frozen=True)
class Heading:
    """What stands first in a bundle."""

    manifest: Manifest
    text: bytes
    """The manifest's own bytes: what its digest and its signature are of."""
    signature: bytes

    @property
    def digest(self) -> str:
        """The bundle's digest, however it is packed: everything else follows from the manifest."""
        return f"sha256:{hashlib.sha256(self.text).hexdigest()}"


def read_heading(path: Path) -> Heading:
    """Read the manifest and its signature, and nothing behind them."""
    text = signature = b""
    for entry, data in _walk(_check_kind(_limit(unpack(path), LARGEST_MANIFEST + _SLACK))):
        if not text:
            if entry.path != MANIFEST:
                raise refuse(f"its first member is {entry.path[:100]!r} and not {MANIFEST}: it is no bundle of ours")
            text = _read_small(entry, data, LARGEST_MANIFEST)
            continue
        if entry.path == SIGNATURE:
            signature = _read_small(entry, data, _LARGEST_SIGNATURE)
        break
    if not text:
        raise refuse("it is empty")
    return Heading(parse_manifest(text), text, signature)


def check_members(
    path: Path,
    heading: Heading,
    keep: Callable[[str], BinaryIO | None] = lambda name: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Read everything, and raise ``BundleError`` unless each member is there once and has its size and sha256.

    ``keep`` may return a stream for a member's bytes. No more is unpacked than the manifest says there is.
    """
    expected = _list_expected(heading.manifest)
    total = sum(size for _, size in expected.values())
    layers = _LayerRules(heading.manifest)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    seen: set[str] = set()
    for entry, data in _walk(read_ahead(_limit(unpack(path), _most_bytes(expected) + len(heading.text)))):
        if entry.path in (MANIFEST, SIGNATURE):
            _check_heading(entry, data, heading, seen)
            continue
        _check_announced(entry, expected, seen)
        digest = hashlib.sha256()
        with keep(entry.path) or nullcontext() as stream:
            layers.check(entry.path, _pull(data, digest, stream, advance))
        if digest.hexdigest() != expected[entry.path][0]:
            raise refuse(f"{entry.path} is not what the manifest says: its sha256 is {digest.hexdigest()}")
    if missing := sorted(expected.keys() - seen):
        raise refuse(f"{missing[0]} is missing" + (f", and {len(missing) - 1} more" if len(missing) > 1 else ""))


def extract_files(
    path: Path,
    heading: Heading,
    folder: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    is_wanted: Callable[[str], bool] = lambda name: True,
) -> None:
    """Check everything, and keep the wanted files, and no layer, below ``folder``: empty and nobody else's."""
    names = {file.path for file in heading.manifest.files if is_wanted(file.path)}

    def keep(name: str) -> BinaryIO | None:
        if name not in names:
            return None
        target = folder / name
        _make_folder(target.parent)
        stream = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW), "wb")
        # Whatever the judge's umask is: programs in containers read the inputs as somebody else.
        os.fchmod(stream.fileno(), 0o644)
        return stream

    try:
        check_members(path, heading, keep, on_progress)
    except OSError as exc:
        if exc.errno not in _NAMES:  # a full disk is the judge's, and says nothing about the entry
            raise
        raise refuse(f"its files cannot be unpacked: {exc.strerror or exc}") from exc


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir()
    folder.chmod(0o755)


class BundleLayers:
    """The layers of a bundle, for an engine to load: each is hashed on its way."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        self._most = _most_bytes(_list_expected(manifest)) + LARGEST_MANIFEST
        self._members: Iterator[tuple[Entry, _Data]] = iter(())

    def read(self, layer: Layer) -> Iterator[bytes]:
        """Yield the layer's tar; raise ``BundleError`` before its last bytes where it is another."""
        name = blob_path(layer.diff_id)
        data = self._find(name)
        digest, left = hashlib.sha256(), layer.size
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
            left -= len(chunk)
            if left <= 0 and f"sha256:{digest.hexdigest()}" != layer.diff_id:
                raise refuse(f"the layer {layer.diff_id} is another: its sha256 is {digest.hexdigest()}")
            yield chunk
        if left:
            raise refuse(f"the layer {layer.diff_id} has another size than its manifest says")

    def verify(self, layers: Iterable[Layer]) -> None:
        """Raise a ``BundleError`` for the first layer that does not have its digest."""
        for layer in layers:
            for _ in self.read(layer):
                pass

    def _find(self, name: str) -> _Data:
        """Go on to the member; once round, since layers are asked for in the order they have here."""
        for _ in range(2):
            for entry, data in self._members:
                if entry.path == name:
                    return data
            self._members = _walk(read_ahead(_limit(unpack(self._path), self._most)))
        raise refuse(f"{name} is missing")


def _walk(chunks: Iterator[bytes]) -> Iterator[tuple[Entry, _Data]]:
    with _refusing():
        for entry, data in read_entries(chunks, "the archive", whole=True):
            if entry.kind is not Kind.FILE or data is None or entry.xattrs:
                raise refuse(f"its member {entry.path[:200]!r} is no plain file")
            yield entry, _Data(data)


def _pull(
    data: _Data, digest: hashlib._Hash, stream: BinaryIO | None, advance: Callable[[int], None]
) -> Iterator[bytes]:
    """Yield a member's bytes, hashed and kept on their way."""
    while chunk := data.read(_CHUNK):
        digest.update(chunk)
        if stream is not None:
            stream.write(chunk)
        advance(len(chunk))
        yield chunk


class _LayerRules:
    """What is asked of layers beyond their digests: they are a stranger's, and an engine unpacks them as root."""

    def __init__(self, manifest: Manifest) -> None:
        self._waiting = list(dict.fromkeys(blob_path(one.diff_id) for one in manifest.layers if one.held))
        self._known = frozenset(self._waiting)
        self._left = MOST_ENTRIES

    def check(self, name: str, chunks: Iterator[bytes]) -> None:
        """Read a member to its end; raise for a layer out of order, or with what no layer has.

        An engine would fill the holes of a sparse file with zeros, whatever size it says.
        """
        if name not in self._known:
            for _ in chunks:
                pass
            return
        if name != self._waiting.pop(0):
            raise refuse(f"its layer {name} does not stand in the order that its manifest has")
        with _refusing():
            for _ in read_entries(chunks, f"its layer {name[:25]}", skip_special=True, most=self._left):
                self._left -= 1


class _Data:
    """A member's bytes; where they end too soon the bundle is refused."""

    def __init__(self, data: EntryData) -> None:
        self._data = data

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all that are left when negative, nothing at the end."""
        with _refusing():
            return self._data.read(size)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say of a damaged archive that the bundle is refused."""
    try:
        yield
    except BundleError:
        raise
    except BuildError as exc:
        raise refuse(exc.message) from exc


def _check_kind(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass an archive on; raise for what is none from its first bytes on: another file under a bundle's name."""
    first = next(chunks, b"")
    if first and not first[_MAGIC_AT:].startswith(b"ustar"):
        raise refuse("it is no archive, and none packed with zstd or gzip: is it the file that was handed over?")
    yield first
    yield from chunks


def _limit(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    left = most
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise refuse(f"it unpacks to more than the {most} bytes that its manifest announces")
        yield chunk


def _read_small(entry: Entry, data: _Data, most: int) -> bytes:
    if entry.size > most:
        raise refuse(f"its {entry.path} has {entry.size} bytes")
    return data.read()


def _most_bytes(expected: dict[str, tuple[str, int]]) -> int:
    return sum(size + _HEADERS for _, size in expected.values()) + _SLACK


def _list_expected(manifest: Manifest) -> dict[str, tuple[str, int]]:
    """Return sha256 and size of each member behind the heading."""
    expected = {file.path: (file.sha256, file.size) for file in manifest.files}
    for layer in manifest.layers:
        if layer.held:
            expected[blob_path(layer.diff_id)] = (layer.diff_id.partition(":")[2], layer.size)
    return expected


def _check_heading(entry: Entry, data: _Data, heading: Heading, seen: set[str]) -> None:
    """Make sure that nothing changed under the same name since the heading was read, and that it is there once."""
    wanted = heading.text if entry.path == MANIFEST else heading.signature
    if entry.path in seen or entry.size != len(wanted) or data.read() != wanted:
        raise refuse(f"{entry.path} is there twice, or the file is being changed")
    seen.add(entry.path)


def _check_announced(entry: Entry, expected: dict[str, tuple[str, int]], seen: set[str]) -> None:
    if entry.path not in expected or not is_safe_path(entry.path):
        raise refuse(f"it holds {entry.path[:200]!r}, which its manifest does not name")
    if entry.path in seen:
        raise refuse(f"{entry.path[:200]!r} is there twice")
    if entry.size != expected[entry.path][1]:
        raise refuse(f"{entry.path[:200]!r} has {entry.size} bytes, and by its manifest {expected[entry.path][1]}")
    seen.add(entry.path)
