"""An image as one tar that every engine loads: an OCI layout and a ``docker save`` archive at once."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Set

from reprobox.errors import BuildError
from reprobox.image.assemble import MANIFEST_TYPE, Image, describe_blob, to_json
from reprobox.layers.model import EPOCH, Layer

_BLOCK = 512
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def archive_chunks(image: Image, tag: str, skip: Set[str], read: Callable[[Layer], Iterator[bytes]]) -> Iterator[bytes]:
    """Yield one tar that is an OCI layout and a ``docker save`` archive at once, without the layers in ``skip``.

    ``tag`` is a familiar name ("demo:latest"). The bytes are a function of the arguments.
    """
    yield from write_member(_blob_path(image.config_digest), len(image.config), (image.config,))
    for layer in _layers_to_send(image, skip):
        yield from write_member(_blob_path(layer.diff_id), layer.size, read(layer))
    for name, data in closing_members(image, tag):
        yield from write_member(name, len(data), (data,))
    yield bytes(2 * _BLOCK)


def archive_size(image: Image, tag: str, skip: Set[str]) -> int:
    """Return how many bytes ``archive_chunks`` yields."""
    sizes = [len(image.config)]
    sizes += [layer.size for layer in _layers_to_send(image, skip)]
    sizes += [len(data) for _, data in closing_members(image, tag)]
    return sum(_BLOCK + size + -size % _BLOCK for size in sizes) + 2 * _BLOCK


def _layers_to_send(image: Image, skip: Set[str]) -> tuple[Layer, ...]:
    """Return the layers in order, each once: two with the same bytes are one file."""
    return tuple({one.diff_id: one for one in image.layers if one.diff_id not in skip}.values())


def closing_members(image: Image, tag: str) -> tuple[tuple[str, bytes], ...]:
    """Return name and content of the files behind the layers: the manifest, and what leads an engine to it."""
    layers = [_blob_path(layer.diff_id) for layer in image.layers]
    annotations = {
        "io.containerd.image.name": _full_name(tag),
        "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
    }
    target = {**describe_blob(MANIFEST_TYPE, image.manifest), "annotations": annotations}
    index = {"manifests": [target], "mediaType": _INDEX_TYPE, "schemaVersion": 2}
    docker = [{"Config": _blob_path(image.config_digest), "Layers": layers, "RepoTags": [tag]}]
    return (
        (_blob_path(image.manifest_digest), image.manifest),
        ("index.json", to_json(index)),
        ("manifest.json", to_json(docker)),
        ("oci-layout", to_json({"imageLayoutVersion": "1.0.0"})),
    )


def _full_name(tag: str) -> str:
    """Return ``tag`` as the containerd store names it: "demo:1" is "docker.io/library/demo:1"."""
    host, slash, _ = tag.partition("/")
    if not slash:
        return f"docker.io/library/{tag}"
    return tag if "." in host or ":" in host or host == "localhost" else f"docker.io/{tag}"


def write_member(name: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one file as a tar holds it; raise ``BuildError`` when the chunks are not ``size`` bytes."""
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
