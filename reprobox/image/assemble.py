"""Layers and settings -> an image's config and manifest, as the same bytes everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reprobox.layers.model import EPOCH, Layer

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
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
    config = to_json(
        {
            "architecture": architecture,
            "config": {key: value for key, value in settings.items() if value},
            "created": _CREATED,
            "history": [*[entry] * len(layers), {**entry, "empty_layer": True}],
            "os": "linux",
            "rootfs": {"diff_ids": [layer.diff_id for layer in layers], "type": "layers"},
        }
    )
    manifest = to_json(
        {
            "config": describe_blob(_CONFIG_TYPE, config),
            "layers": [{"digest": one.diff_id, "mediaType": _LAYER_TYPE, "size": one.size} for one in layers],
            "mediaType": MANIFEST_TYPE,
            "schemaVersion": 2,
        }
    )
    return Image(config, digest_of(config), manifest, digest_of(manifest), tuple(layers))


def describe_blob(media_type: str, data: bytes) -> dict[str, Any]:
    """Return the OCI descriptor of ``data``."""
    return {"digest": digest_of(data), "mediaType": media_type, "size": len(data)}


def digest_of(data: bytes) -> str:
    """Return "sha256:…" of ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def to_json(value: object) -> bytes:
    """Return the one way this program writes JSON that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
