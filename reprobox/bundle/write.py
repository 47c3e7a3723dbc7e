"""Write a bundle as a stream; what an earlier try has written already is not written again."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from reprobox.bundle.compression import pack
from reprobox.bundle.contents import Contents, Data
from reprobox.bundle.manifest import format_manifest
from reprobox.bundle.model import MANIFEST, SIGNATURE, BundledFile, blob_path
from reprobox.bundle.packing import Compression
from reprobox.errors import BuildError, UsageError
from reprobox.files import FULL_DISK, UNFINISHED
from reprobox.image import Image, write_member
from reprobox.layers.model import Layer

ReadLayer = Callable[[Layer], Iterator[bytes]]
"""Yields a layer's tar, and raises where it is another."""
_CHUNK = 1 << 20
_END = bytes(1024)


def write_bundle(
    contents: Contents,
    image: Image,
    read_layer: ReadLayer,
    out: Path,
    compression: Compression,
    sign: Callable[[bytes], bytes] | None,
    on_progress: Callable[[int, int], None],
) -> int:
    """Write the bundle to ``out`` and return its size; ``out`` is whole or as it was.

    What a try that was cut off left beside it is compared, and gone on from where it agrees.
    """
    heading = format_manifest(contents.manifest)
    signature = sign(heading) if sign else b""
    total = _count(contents, heading, signature)
    chunks = _report(_list_chunks(contents, image, read_layer, heading, signature), total, on_progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name[:40]}.part{UNFINISHED}")
    try:
        with _Resumed(partial) as target:
            for packed in pack(chunks, compression):
                target.write(packed)
            size = target.finish()
        partial.replace(out)
    except OSError as exc:
        raise _explain(exc, out, partial) from exc
    return size


def _list_chunks(
    contents: Contents, image: Image, read_layer: ReadLayer, heading: bytes, signature: bytes
) -> Iterator[bytes]:
    """Yield the archive: heading, small files, and behind the configuration the layers that it names."""
    yield from write_member(MANIFEST, len(heading), (heading,))
    if signature:
        yield from write_member(SIGNATURE, len(signature), (signature,))
    held = {one.diff_id for one in contents.manifest.layers if one.held}
    files = contents.manifest.files
    for file in (one for one in files if one.path.startswith(("reprobox/", "blobs/"))):
        yield from write_member(file.path, file.size, _read(file, contents.data[file.path]))
    for layer in {one.diff_id: one for one in image.layers if one.diff_id in held}.values():
        yield from write_member(blob_path(layer.diff_id), layer.size, read_layer(layer))
    for file in (one for one in files if not one.path.startswith(("reprobox/", "blobs/"))):
        yield from write_member(file.path, file.size, _read(file, contents.data[file.path]))
    yield _END


def _read(file: BundledFile, data: Data) -> Iterator[bytes]:
    """Yield a file's bytes; raise when they are no longer those that were described."""
    if isinstance(data, bytes):
        yield data
        return
    digest = hashlib.sha256()
    with data.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            yield chunk
    if digest.hexdigest() != file.sha256:
        raise BuildError(f"{data} was changed while it was exported", hint="export again")


def _count(contents: Contents, heading: bytes, signature: bytes) -> int:
    layers = {one.diff_id: one.size for one in contents.manifest.layers if one.held}
    return len(heading) + len(signature) + sum(one.size for one in contents.manifest.files) + sum(layers.values())


def _report(chunks: Iterator[bytes], total: int, on_progress: Callable[[int, int], None]) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        yield chunk
        done = min(done + len(chunk), total)  # headers are no part of the total
        on_progress(done, total)


class _Resumed:
    """A file that is compared with what it already holds, and written from where they part."""

    def __init__(self, path: Path) -> None:
        self._stream: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+b")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._stream.close()
            if exc.errno == errno.EWOULDBLOCK:
                raise UsageError(f"another export is writing {path.name}", hint="wait for it") from exc
            raise
        self._left = os.fstat(self._stream.fileno()).st_size
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        start = self._size
        self._size += len(data)
        if self._left >= len(data):
            if self._stream.read(len(data)) == data:
                self._left -= len(data)
                return
            self._stream.seek(start)
        elif self._left:
            self._stream.seek(start)
        if self._left:
            self._stream.truncate()
            self._left = 0
        self._stream.write(data)

    def finish(self) -> int:
        """Have everything on the disk; return the size."""
        self._stream.truncate(self._size)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return self._size


def _explain(exc: OSError, out: Path, partial: Path) -> UsageError:
    if exc.errno in FULL_DISK:
        return UsageError(
            f"no space left for {out}",
            hint=f"make room and export again: it goes on from {partial.name}, which you may also remove",
        )
    return UsageError(f"{out} cannot be written: {exc.strerror or exc}", hint="choose another place with -o")
