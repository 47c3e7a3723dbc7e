"""Which image a plan came to before: whoever runs it again need not look at a single layer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reprobox import __version__
from reprobox.engines.base import Digests, EngineImage, EngineInfo
from reprobox.files import write_atomic
from reprobox.layers.model import Layer
from reprobox.plan import Plan
from reprobox.templating import templates_folder

_SCHEMA = 1
_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Remembered:
    """What is known of an image that was made before; its layers are nowhere that anybody has looked."""

    config_digest: str
    manifest_digest: str
    layers: tuple[Layer, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers' digests, lowest first."""
        return tuple(layer.diff_id for layer in self.layers)


class Named(Digests, Protocol):
    """An image that was made."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its layers, lowest first."""


class Holder(Protocol):
    """What may hold it."""

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""

    def find_image(self, reference: str) -> EngineImage | None:
        """Look an image up."""


def remember_image(cache: Path, plan: Plan, image: Named) -> None:
    """Note what a plan has come to, in place of the last of its name; a cache that cannot be written keeps nothing."""
    note = {
        "of": _identify(plan),
        "config": image.config_digest,
        "manifest": image.manifest_digest,
        "layers": [[layer.diff_id, layer.size, layer.what] for layer in image.layers],
    }
    path = _locate(cache, plan)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(note))


def recall_image(cache: Path, plan: Plan, engine: Holder) -> Remembered | None:
    """Return what this very plan came to with this very reprobox, if the engine has it under the plan's name."""
    try:
        note = json.loads(_locate(cache, plan).read_bytes())
        layers = [Layer(str(one), int(size), str(what), Path(), cached=True) for one, size, what in note["layers"]]
        found = Remembered(note["config"], note["manifest"], tuple(layers))
        if note["of"] != _identify(plan):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if engine.find_image(plan.tag) == engine.info().identify(found) else None


def _locate(cache: Path, plan: Plan) -> Path:
    return cache / "images" / f"{plan.name}.json"


def _identify(plan: Plan) -> str:
    """Return the digest of everything that an image is a function of."""
    key = repr((_SCHEMA, __version__, plan, sorted(_describe_code())))
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()


def _describe_code() -> Iterator[tuple[str, int, int]]:
    """Yield what tells one state of reprobox's own files from another: who works on it has one version for many."""
    waiting = [str(_PACKAGE), str(templates_folder())]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    waiting.append(entry.path)
                continue
            status = entry.stat()
            yield entry.path, status.st_size, status.st_mtime_ns
