"""Layers -> an image that is the same bytes everywhere: config, manifest, archive; and loading it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from reprobox.engines.base import EngineImage, EngineInfo, ImageStore, StoreKind
from reprobox.errors import BuildError, EngineError
from reprobox.layers.model import EPOCH, Layer

_BLOCK = 512
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_CREATED = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Image:
    """An image as its own bytes; ``config_digest`` is *the* image digest."""

    config: bytes
    config_digest: str
    manifest: bytes
    manifest_digest: str
    layers: tuple[Layer, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers' digests, lowest first."""
        return tuple(layer.diff_id for layer in self.layers)


class LayerReader(Protocol):
    """Where the layers' bytes are."""

    def read_verified(self, layer: Layer) -> Iterator[bytes]:
        """Yield the layer's tar; raise a ``BuildError`` when it is damaged."""


def assemble_image(
    layers: Sequence[Layer],
    *,
    env: Sequence[tuple[str, str]] = (),
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    user: str = "",
    workdir: str = "/",
    architecture: str = "amd64",
) -> Image:
    """Write the image's config and manifest; a function of its arguments alone (``Layer.what`` is not in it)."""
    settings = {
        "Cmd": list(command),
        "Entrypoint": list(entrypoint),
        "Env": [f"{name}={value}" for name, value in env],
        "Labels": dict(labels or {}),
        "User": user,
        "WorkingDir": workdir,
    }
    entry = {"created": _CREATED, "created_by": "reprobox"}
    config = _to_json(
        {
            "architecture": architecture,
            "config": {key: value for key, value in settings.items() if value},
            "created": _CREATED,
            "history": [*[entry] * len(layers), {**entry, "empty_layer": True}],
            "os": "linux",
            "rootfs": {"diff_ids": [layer.diff_id for layer in layers], "type": "layers"},
        }
    )
    manifest = _to_json(
        {
            "config": _descriptor(_CONFIG_TYPE, config),
            "layers": [{"digest": one.diff_id, "mediaType": _LAYER_TYPE, "size": one.size} for one in layers],
            "mediaType": _MANIFEST_TYPE,
            "schemaVersion": 2,
        }
    )
    return Image(config, _digest(config), manifest, _digest(manifest), tuple(layers))


def archive_chunks(image: Image, tag: str, skip: Set[str], read: Callable[[Layer], Iterator[bytes]]) -> Iterator[bytes]:
    """Yield one tar that is an OCI layout and a ``docker save`` archive at once, without the layers in ``skip``.

    ``tag`` is a familiar name ("demo:latest"). The bytes are a function of the arguments.
    """
    yield from _member(_blob_path(image.config_digest), len(image.config), (image.config,))
    for layer in _layers_to_send(image, skip):
        yield from _member(_blob_path(layer.diff_id), layer.size, read(layer))
    for name, data in _closing_members(image, tag):
        yield from _member(name, len(data), (data,))
    yield bytes(2 * _BLOCK)


def archive_size(image: Image, tag: str, skip: Set[str]) -> int:
    """Return how many bytes ``archive_chunks`` yields."""
    sizes = [len(image.config)]
    sizes += [layer.size for layer in _layers_to_send(image, skip)]
    sizes += [len(data) for _, data in _closing_members(image, tag)]
    return sum(_BLOCK + size + -size % _BLOCK for size in sizes) + 2 * _BLOCK


def engine_id(image: Image, info: EngineInfo) -> str:
    """Return the ID that this engine must give the image."""
    return image.manifest_digest if info.store is StoreKind.CONTAINERD else image.config_digest


class LoadingStore(ImageStore, Protocol):
    """What loading needs of an engine."""

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""


def load_image(
    engine: LoadingStore,
    image: Image,
    tag: str,
    store: LayerReader,
    on_progress: Callable[[int, int], None] = lambda sent, total: None,
) -> str:
    """Make ``tag`` name ``image`` in the engine, sending only what it lacks; return the engine's ID, checked.

    ``on_progress`` gets (bytes sent, of how many). Raises ``EngineError`` when the engine refuses or holds something
    else afterwards, and lets through what ``store`` raises for a damaged layer; ``tag`` is then as before.
    """
    wanted = EngineImage(engine_id(image, engine.info()), image.diff_ids)
    if engine.find_image(tag) == wanted:
        return wanted.engine_id
    skip = _find_held(engine, image)
    try:
        _send(engine, image, tag, skip, store, on_progress)
    except EngineError:
        if not skip:
            raise
        _send(engine, image, tag, frozenset(), store, on_progress)
    _check_loaded(engine, tag, wanted)
    return wanted.engine_id


def _find_held(engine: LoadingStore, image: Image) -> frozenset[str]:
    """Return the layers that may be left out; the containerd store and Podman want every one (found by trying)."""
    info = engine.info()
    if info.store is StoreKind.CONTAINERD or info.name != "docker":
        return frozenset()
    return frozenset(image.diff_ids[: engine.count_held_layers(image.diff_ids)])


def _send(
    engine: LoadingStore,
    image: Image,
    tag: str,
    skip: Set[str],
    store: LayerReader,
    on_progress: Callable[[int, int], None],
) -> None:
    total = archive_size(image, tag, skip)
    chunks = archive_chunks(image, tag, skip, store.read_verified)
    engine.load_archive(_count_sent(chunks, total, on_progress))


def _count_sent(chunks: Iterable[bytes], total: int, on_progress: Callable[[int, int], None]) -> Iterator[bytes]:
    sent = 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        on_progress(sent, total)


def _check_loaded(engine: LoadingStore, tag: str, wanted: EngineImage) -> None:
    found = engine.find_image(tag)
    if found == wanted:
        return
    if found is None:
        problem = "has no such image afterwards"
    elif found.diff_ids != wanted.diff_ids:
        problem = f"holds other layers: {', '.join(found.diff_ids) or 'none'} instead of {', '.join(wanted.diff_ids)}"
    else:
        problem = f"calls it {found.engine_id} instead of {wanted.engine_id}"
    if found is not None:
        engine.remove_image(tag)
    raise EngineError(
        f"the engine accepted the image {tag} but {problem}",
        hint="build again; if it stays so, see the engine's log and its free disk",
    )


def _layers_to_send(image: Image, skip: Set[str]) -> tuple[Layer, ...]:
    """Return the layers in order, each once: two with the same bytes are one file."""
    return tuple({one.diff_id: one for one in image.layers if one.diff_id not in skip}.values())


def _closing_members(image: Image, tag: str) -> tuple[tuple[str, bytes], ...]:
    layers = [_blob_path(layer.diff_id) for layer in image.layers]
    annotations = {
        "io.containerd.image.name": _full_name(tag),
        "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
    }
    target = {**_descriptor(_MANIFEST_TYPE, image.manifest), "annotations": annotations}
    index = {"manifests": [target], "mediaType": _INDEX_TYPE, "schemaVersion": 2}
    docker = [{"Config": _blob_path(image.config_digest), "Layers": layers, "RepoTags": [tag]}]
    return (
        (_blob_path(image.manifest_digest), image.manifest),
        ("index.json", _to_json(index)),
        ("manifest.json", _to_json(docker)),
        ("oci-layout", _to_json({"imageLayoutVersion": "1.0.0"})),
    )


def _full_name(tag: str) -> str:
    """Return ``tag`` as the containerd store names it: "demo:1" is "docker.io/library/demo:1"."""
    host, slash, _ = tag.partition("/")
    if not slash:
        return f"docker.io/library/{tag}"
    return tag if "." in host or ":" in host or host == "localhost" else f"docker.io/{tag}"


def _member(name: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, EPOCH, 0o644
    yield header.tobuf(tarfile.GNU_FORMAT)
    written = 0
    for chunk in chunks:
        written += len(chunk)
        yield chunk
    if written != size:
        raise BuildError(f"{name} has {written} bytes instead of {size}", hint="build again: the layer is made anew")
    yield bytes(-size % _BLOCK)


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"digest": _digest(data), "mediaType": media_type, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _to_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
