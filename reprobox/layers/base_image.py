"""Layers of bases that others made: images as they are, root file systems as one canonical layer."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from reprobox.errors import BuildError
from reprobox.files import FULL_DISK
from reprobox.layers.model import Layer
from reprobox.layers.rootfs import read_root_files
from reprobox.layers.store import LayerStore, explain_disk_errors
from reprobox.layers.tar import CHUNK
from reprobox.layers.tree import Tree

_LARGEST_JSON = 16 << 20
_DAMAGE = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, EOFError)


@dataclass(frozen=True)
class SavedImage:
    """An image read from an archive, its layers in the store."""

    config_digest: str
    architecture: str
    env: tuple[str, ...]
    """``NAME=value``, in the order of the config."""
    layers: tuple[Layer, ...]


def find_image_layers(diff_ids: Iterable[str], store: LayerStore) -> tuple[Layer, ...] | None:
    """Return an image's layers if the store has every one."""
    found = [store.find(_image_key(diff_id)) for diff_id in diff_ids]
    layers = tuple(layer for layer in found if layer is not None)
    return layers if len(layers) == len(found) else None


def read_saved_image(archive: Path | Iterable[bytes], what: str, store: LayerStore) -> SavedImage:
    """Read an image from a ``docker save`` archive, layers byte for byte as their digests say.

    Raises ``BuildError`` naming ``what`` for an archive that is damaged, holds no image, or more than one.
    """
    with _open_tar(archive, what, store.scratch) as tar:
        try:
            config_bytes, names = _read_manifest(tar, what)
            config = json.loads(config_bytes)
            diff_ids = [str(one) for one in config["rootfs"]["diff_ids"]]
            env = tuple(str(one) for one in (config.get("config") or {}).get("Env") or ())
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as exc:
            raise BuildError(f"{what} is no image that `docker save` wrote") from exc
        if len(diff_ids) != len(names):
            raise BuildError(f"{what} is damaged: {len(names)} layers instead of {len(diff_ids)}")
        layers = tuple(_read_layer(tar, name, one, what, store) for name, one in zip(names, diff_ids, strict=True))
        digest = f"sha256:{hashlib.sha256(config_bytes).hexdigest()}"
        return SavedImage(digest, str(config.get("architecture", "")), env, layers)


def is_saved_image(archive: Path, store: LayerStore) -> bool:
    """Whether an archive holds an image rather than a root file system."""
    with _open_tar(archive, archive.name, store.scratch) as tar:
        return _member(tar, "manifest.json") is not None


def make_archive_layer(archive: Path, sha256: str, store: LayerStore) -> Layer:
    """Return a root-file-system archive (tar; gzip, xz, zstd or bzip2) as one canonical layer."""

    def write(out: BinaryIO) -> None:
        with _explain_damage(archive.name), open_archive(archive) as stream, Tree(store.scratch) as tree:
            for entry, data in read_root_files(iter(lambda: stream.read(CHUNK), b""), archive.name):
                tree.add(entry, data)
            tree.write(out)

    return store.make(f"archive {sha256}", f"base {archive.name}", write)


@contextmanager
def open_archive(path: Path) -> Iterator[BinaryIO]:
    """Open a file, uncompressed whatever it is compressed with."""
    with path.open("rb") as raw:
        yield _decompress(raw)


def _decompress(raw: BinaryIO) -> BinaryIO:
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.LZMAFile(raw))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw))
    return raw


@contextmanager
def _explain_damage(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL_DISK:
            raise
        raise BuildError(f"{what} cannot be read or is damaged: {exc.strerror or exc}") from exc
    except _DAMAGE as exc:
        raise BuildError(f"{what} is damaged or no tar: {exc}") from exc


@contextmanager
def _open_tar(archive: Path | Iterable[bytes], what: str, folder: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive for random access, through an unnamed file in ``folder``."""
    with explain_disk_errors(what, folder), tempfile.TemporaryFile(dir=folder) as spool, _explain_damage(what):
        if isinstance(archive, Path):
            with open_archive(archive) as stream:
                while chunk := stream.read(CHUNK):
                    spool.write(chunk)
        else:
            for chunk in archive:
                spool.write(chunk)
        spool.seek(0)
        with tarfile.open(fileobj=spool, mode="r:") as tar:
            yield tar


def _member(tar: tarfile.TarFile, name: str) -> tarfile.TarInfo | None:
    for candidate in (name, f"./{name}"):
        try:
            return tar.getmember(candidate)
        except KeyError:
            continue
    return None


def _read_manifest(tar: tarfile.TarFile, what: str) -> tuple[bytes, list[str]]:
    manifest: Any = json.loads(_read_small(tar, "manifest.json", what))
    if not isinstance(manifest, list) or len(manifest) != 1:
        raise BuildError(f"{what} holds {len(manifest)} images instead of one", hint="save one image to it")
    config = _read_small(tar, str(manifest[0]["Config"]), what)
    return config, [str(name) for name in manifest[0]["Layers"]]


def _read_small(tar: tarfile.TarFile, name: str, what: str) -> bytes:
    member = _member(tar, name)
    stream = tar.extractfile(member) if member is not None else None
    if member is None or stream is None or member.size > _LARGEST_JSON:
        raise BuildError(f"{what} is no image that `docker save` wrote: it has no usable {name}")
    return stream.read()


def _read_layer(tar: tarfile.TarFile, name: str, diff_id: str, what: str, store: LayerStore) -> Layer:
    def write(out: BinaryIO) -> None:
        member = _member(tar, name)
        stream = tar.extractfile(member) if member is not None else None
        if stream is None:
            raise BuildError(f"{what} is damaged: it lacks {name}")
        data = _decompress(cast(BinaryIO, stream))
        digest = hashlib.sha256()
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
        if f"sha256:{digest.hexdigest()}" != diff_id:
            raise BuildError(f"{what} is damaged: {name} does not have the digest {diff_id}")

    return store.make(_image_key(diff_id), f"base {what}", write)


def _image_key(diff_id: str) -> str:
    return f"image layer {diff_id}"
