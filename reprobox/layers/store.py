"""Keep finished layers on disk: made once, verified whenever read, safe under crashes and two processes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from reprobox.errors import BuildError
from reprobox.files import FULL_DISK, make_temporary, remove_leftovers
from reprobox.layers.model import LAYER_FORMAT, Layer

_CHUNK = 1 << 20
_WRITE_BACK = 8 * _CHUNK
_RECORD_SCHEMA = 1


class DamagedLayer(BuildError):
    """A layer's bytes in the cache are not what they were; it has been thrown out and can be made again."""


class LayerStore:
    """A folder of layers: ``layers/<format>/keys`` says which key made which blob of ``blobs``."""

    def __init__(self, root: Path) -> None:
        self.root = root / "layers" / str(LAYER_FORMAT)
        self._clean = False

    @property
    def scratch(self) -> Path:
        """A folder for unnamed temporary files: on the cache's disk, since others may be small or in memory."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, key: str) -> Layer | None:
        """Return the layer that ``key`` made, if it is here and has its whole length."""
        try:
            record = json.loads(self._record_path(key).read_bytes())
            diff_id, size, what = record["diff_id"], record["size"], record["what"]
            path = self._blob_path(diff_id)
            whole = record["schema_version"] == _RECORD_SCHEMA and path.stat().st_size == size
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # missing, or torn by a power cut: either way it has to be made again
        return Layer(diff_id, size, what, path, cached=True) if whole else None

    def find_content(self, diff_id: str, size: int, what: str) -> Layer | None:
        """Return a layer by its digest, whatever made it, if it is here and has its whole length."""
        path = self._blob_path(diff_id)
        try:
            whole = path.stat().st_size == size
        except OSError:
            return None
        return Layer(diff_id, size, what, path, cached=True) if whole else None

    def make(self, key: str, what: str, write: Callable[[BinaryIO], object]) -> Layer:
        """Return the layer of ``key``; call ``write`` with a stream for its tar if it is not here yet.

        A second process that asks for the same key waits for the first. Raises ``BuildError`` when the disk
        is full or cannot be written; whatever ``write`` raises leaves nothing behind.
        """
        with explain_disk_errors(what, self.root), self._locked(key):
            if (found := self.find(key)) is not None:
                return found
            self._remove_leftovers()
            layer = self._write_blob(what, write)
            self._write_record(key, layer)
            return layer

    def read(self, layer: Layer) -> Iterator[bytes]:
        """Yield the layer's bytes as they are, for a reader that checks the digest itself."""
        try:
            with layer.path.open("rb", buffering=0) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except OSError as exc:
            self.evict(layer)
            raise _damaged(layer, f"cannot be read ({exc.strerror})") from exc

    def read_verified(self, layer: Layer) -> Iterator[bytes]:
        """Yield the layer's bytes; raise ``DamagedLayer`` at the end, having evicted it, if they are not its own."""
        digest = hashlib.sha256()
        for chunk in self.read(layer):
            digest.update(chunk)
            yield chunk
        if f"sha256:{digest.hexdigest()}" != layer.diff_id:
            self.evict(layer)
            raise _damaged(layer, "does not have its digest any more")

    def verify(self, layers: Iterable[Layer]) -> None:
        """Raise ``DamagedLayer``, having evicted it, for the first that does not have its digest any more."""
        for layer in layers:
            for _ in self.read_verified(layer):
                pass

    def evict(self, layer: Layer) -> None:
        """Throw a layer out; every key that made it has to make it again."""
        layer.path.unlink(missing_ok=True)

    def _record_path(self, key: str) -> Path:
        return self.root / "keys" / f"{_name_of(key)}.json"

    def _blob_path(self, diff_id: str) -> Path:
        return self.root / "blobs" / f"{diff_id.removeprefix('sha256:')}.tar"

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the key's lock; flock, because it also keeps two threads of one process apart."""
        for folder in ("keys", "blobs", "tmp", "locks"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        with (self.root / "locks" / _name_of(key)).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write_blob(self, what: str, write: Callable[[BinaryIO], object]) -> Layer:
        with self._temporary() as (stream, temporary):
            hashing = HashingWriter(stream)
            write(cast(BinaryIO, hashing))
            diff_id = hashing.finish()
            path = self._blob_path(diff_id)
            temporary.replace(path)
        return Layer(diff_id, hashing.size, what, path, cached=False)

    def _write_record(self, key: str, layer: Layer) -> None:
        record = {
            "schema_version": _RECORD_SCHEMA,
            "key": key[:200],
            "diff_id": layer.diff_id,
            "size": layer.size,
            "what": layer.what,
        }
        with self._temporary() as (stream, temporary):
            stream.write(json.dumps(record, indent=1).encode() + b"\n")
            temporary.replace(self._record_path(key))

    @contextmanager
    def _temporary(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A new file, locked for as long as it is ours: what nobody holds is a dead process's."""
        descriptor, name = make_temporary(self.root / "tmp")
        os.fchmod(descriptor, 0o644)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                yield cast(BinaryIO, stream), path
        finally:
            path.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove temporary files of processes that were killed; once per store is enough."""
        if self._clean:
            return
        self._clean = True
        remove_leftovers(self.root / "tmp", suffix="")


class HashingWriter:
    """A stream that joins small writes, hashes everything, and knows its size."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._parts: list[bytes] = []
        self._pending = 0
        self.size = 0
        self._announced = 0

    def write(self, data: bytes) -> int:
        """Take ``data``; it reaches the file a megabyte at a time."""
        self._parts.append(data)
        self._pending += len(data)
        if self._pending >= _CHUNK:
            self._flush()
        return len(data)

    def finish(self) -> str:
        """Write the rest; return the digest, ``sha256:…``."""
        self._flush()
        return f"sha256:{self._digest.hexdigest()}"

    def _flush(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._pending = 0
        self.size += len(data)
        self._digest.update(data)
        left = memoryview(data)
        while left:
            left = left[self._stream.write(left) :]
        if self.size - self._announced >= _WRITE_BACK:
            self._write_back()

    def _write_back(self) -> None:
        """Have the disk begin now: what is left for later, the next sync of anybody waits for.

        The advice is to drop the pages; as they are not on disk yet, they are written at once and stay.
        """
        if hasattr(os, "posix_fadvise"):
            begin, size = self._announced, self.size - self._announced
            os.posix_fadvise(self._stream.fileno(), begin, size, os.POSIX_FADV_DONTNEED)
        self._announced = self.size


@contextmanager
def explain_disk_errors(what: str, root: Path) -> Iterator[None]:
    """Turn what the operating system says about the cache into one clear ``BuildError``."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL_DISK:
            raise BuildError(
                f"no space left in {root} while making the layer {what!r}",
                hint="make room there, or name another cache folder",
            ) from exc
        raise BuildError(f"cannot write the layer {what!r} in {root}: {exc.strerror or exc}") from exc


def _name_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _damaged(layer: Layer, problem: str) -> DamagedLayer:
    return DamagedLayer(
        f"the cached layer {layer.what!r} ({layer.diff_id}) {problem}; it has been thrown out",
        hint="build again: the layer will be made anew",
    )
