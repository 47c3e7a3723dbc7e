"""Which image a plan came to before: whoever runs it again need not look at a single layer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from reprobox import __version__
from reprobox.engines.base import Digests
from reprobox.files import write_atomic
from reprobox.plan import Plan
from reprobox.templating import templates_folder

_SCHEMA = 1
_PACKAGE = Path(__file__).parent


class Remembered(NamedTuple):
    """What is known of an image that was made before."""

    config_digest: str
    manifest_digest: str
    diff_ids: tuple[str, ...]


def remember_image(cache: Path, plan: Plan, image: Digests) -> None:
    """Note what a plan has come to, in place of the last of its name; a cache that cannot be written keeps nothing."""
    note = {
        "of": _identify(plan),
        "config": image.config_digest,
        "manifest": image.manifest_digest,
        "layers": image.diff_ids,
    }
    path = _locate(cache, plan)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(note))


def recall_image(cache: Path, plan: Plan) -> Remembered | None:
    """Return what this very plan came to with this very reprobox, if that is the last of its name made here."""
    try:
        note = json.loads(_locate(cache, plan).read_bytes())
        found = Remembered(note["config"], note["manifest"], tuple(note["layers"]))
        return found if note["of"] == _identify(plan) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
