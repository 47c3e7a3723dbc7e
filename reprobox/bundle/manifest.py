"""Manifest <-> text; whoever sent one is not trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict

from reprobox.bundle.model import (
    BUNDLE_SCHEMA,
    CLAIM_RECORD,
    LOCK,
    MANIFEST,
    PROJECT,
    ROOT,
    SIGNATURE,
    SPEC,
    BundledFile,
    Manifest,
    blob_path,
)
from reprobox.errors import BundleError
from reprobox.streams import escape_unprintable
from reprobox.typed_json import build_value

LARGEST_MANIFEST = 32 * 2**20
MOST_FILES = 200_000
_SMALL = 32 * 2**20
"""Bytes of a file that is read as a whole; engines take less of an image's own."""
_READ_WHOLE = (SPEC, LOCK, CLAIM_RECORD)
_IMAGE_FILES = ("index.json", "manifest.json", "oci-layout")
_HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_LONGEST_PATH = 1024
"""Bytes; with a judge's own folders before it, it still is one that every system opens."""
_DEEPEST_PATH = 64
_BYTES_PER_OBJECT = 16
"""Of a manifest, at least: whoever packs more of them together wants the memory that each takes."""
_LONGEST_PROBLEM = 400
_MOST = 2**53
"""More bytes than any disk has, and few enough to be added up."""


def format_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON, ``schema_version`` first."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest that ``data`` holds; raise ``BundleError`` for one that no export writes."""
    if data.count(b"{") + data.count(b"[") > 1000 + len(data) / _BYTES_PER_OBJECT:
        raise refuse("its manifest is not one of ours: it is made of next to nothing but lists")
    try:
        values = json.loads(data.decode("utf-8"), object_pairs_hook=_refuse_duplicates)
        if not isinstance(values, dict):
            raise ValueError("it holds no object")
        if values.get("schema_version") != BUNDLE_SCHEMA:
            version = escape_unprintable(str(values.get("schema_version"))[:40])
            raise BundleError(
                f"the bundle has format {version}, this reprobox reads {BUNDLE_SCHEMA}",
                hint="install the version of reprobox that wrote it",
            )
        manifest: Manifest = build_value(Manifest, values, "")
    except (ValueError, RecursionError) as exc:
        raise refuse(f"its manifest is not one of ours: {exc}") from exc
    for problem in _find_problems(manifest):
        raise refuse(problem)
    return manifest


def refuse(problem: str) -> BundleError:
    """Return the error for a bundle that breaks a rule; what the sender wrote is cut and made harmless."""
    cut = problem if len(problem) <= _LONGEST_PROBLEM else problem[:_LONGEST_PROBLEM] + "…"
    return BundleError(
        f"the bundle is refused: {escape_unprintable(cut)}",
        hint="nothing of it was kept or run; ask the sender for one that `reprobox inspect --check` takes",
    )


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _find_problems(manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with a manifest in itself."""
    if not _NAME.fullmatch(manifest.name) or len(manifest.name) > 128:
        yield f"the name {manifest.name[:80]!r} is none that a spec may have"
    for what in ("spec_digest", "lock_digest", "image_digest", "manifest_digest"):
        if not _DIGEST.fullmatch(getattr(manifest, what)):
            yield f"{what} is no digest"
    if manifest.tag != f"reprobox/{manifest.name}:latest":
        yield f"its image has the tag {manifest.tag[:80]!r}, which is not the entry's own"
    yield from _find_layer_problems(manifest)
    yield from _find_file_problems(manifest)
    yield from _find_source_problems(manifest)


def _find_layer_problems(manifest: Manifest) -> Iterator[str]:
    if not manifest.layers or len(manifest.layers) > 500:
        yield f"it says that its image has {len(manifest.layers)} layers"
    sizes: dict[str, tuple[int, bool]] = {}
    for layer in manifest.layers:
        if not _DIGEST.fullmatch(layer.diff_id) or not 0 < layer.size < _MOST:
            yield f"the layer {layer.diff_id[:80]!r} has no digest or no size"
        if sizes.setdefault(layer.diff_id, (layer.size, layer.held)) != (layer.size, layer.held):
            yield f"the layer {layer.diff_id} is described twice, not the same way"


def _find_file_problems(manifest: Manifest) -> Iterator[str]:
    names = [file.path for file in manifest.files]
    if names != sorted(set(names)):
        yield "its files are not sorted, or one is there twice"
    for file in manifest.files:
        if problem := _check_file(file):
            yield problem
    if len(names) > MOST_FILES:
        yield f"it holds more than {MOST_FILES} files"
    known = set(names)
    for parent in (parent for name in names for parent in _parents(name)):
        if parent in known:
            yield f"{parent[:200]!r} is a file and a folder"
    image = {blob_path(one): one for one in (manifest.image_digest, manifest.manifest_digest)}
    for file in manifest.files:
        if file.path.startswith("blobs/") and image.get(file.path) != f"sha256:{file.sha256}":
            yield f"{file.path} is neither its image's configuration nor its manifest, or another than it is called"
    layers = {blob_path(layer.diff_id) for layer in manifest.layers}
    if clash := layers.intersection(names):
        yield f"{min(clash)} is a layer and another file"
    needed = (SPEC, LOCK, CLAIM_RECORD, blob_path(manifest.image_digest), blob_path(manifest.manifest_digest))
    for name in (*needed, "index.json", "manifest.json", "oci-layout"):
        if name not in names:
            yield f"{name} is missing"
    for one in manifest.inputs:
        if not _HEX.fullmatch(one.sha256) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one.name):
            yield f"the input {one.name[:80]!r} has no sha256, or a name that a spec may not have"


def _find_source_problems(manifest: Manifest) -> Iterator[str]:
    files = {file.path: file for file in manifest.files}
    for source in manifest.source:
        if not is_safe_path(source.path):
            yield f"the source file {source.path[:200]!r} has a name that leads elsewhere"
        member = files.get(PROJECT + source.path)
        if not source.link and (member is None or (member.sha256, member.size) != (source.sha256, source.size)):
            yield f"the source file {source.path[:200]!r} is not among its files as it is in the image"


def _check_file(file: BundledFile) -> str:
    if file.path in (MANIFEST, SIGNATURE) or not is_safe_path(file.path):
        return f"it holds {file.path[:200]!r}, a name that no bundle has"
    if not file.path.startswith((ROOT, "blobs/sha256/")) and file.path not in _IMAGE_FILES:
        return f"it holds {file.path[:200]!r}, which is no part of a bundle"
    if not _HEX.fullmatch(file.sha256) or not 0 <= file.size < _MOST:
        return f"{file.path[:200]!r} has no sha256 or no size"
    if file.size > _SMALL and (file.path in _READ_WHOLE or not file.path.startswith(ROOT)):
        return f"{file.path} has {file.size} bytes"
    return ""


def is_safe_path(path: str) -> bool:
    """Whether a name stays inside of the folder that it is put in, and is what it looks like."""
    parts = path.split("/")
    plain = all(part not in ("", ".", "..") and len(part.encode("utf-8", "replace")) <= 255 for part in parts)
    short = len(path.encode("utf-8", "replace")) <= _LONGEST_PATH and len(parts) <= _DEEPEST_PATH
    return plain and short and path.isprintable() and "\\" not in path


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
