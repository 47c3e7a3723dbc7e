"""What a bundle holds, as data, and the names of its members."""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.plan import SourceFile

BUNDLE_SCHEMA = 1
SUFFIX = ".reprobox"
ROOT = "reprobox/"
"""Everything that is no part of the image archive has a name below this."""
MANIFEST = "reprobox/manifest.json"
SIGNATURE = "reprobox/manifest.json.sig"
SPEC = "reprobox/project/spec.yaml"
LOCK = "reprobox/project/spec.lock"
PROJECT = "reprobox/project/"
CONTEXT = "reprobox/context/"
REPORT = "reprobox/report/"
CLAIM_RECORD = "reprobox/claim/run.json"
CLAIM_OUTPUT = "reprobox/claim/output/"
EVIDENCE = "reprobox/evidence/"
"""Verifications, sweeps and the records of their runs."""
INPUTS = "reprobox/inputs/"


def blob_path(digest: str) -> str:
    """Return where an archive has the blob of a digest."""
    return f"blobs/{digest.replace(':', '/')}"


@dataclass(frozen=True)
class BundledFile:
    """One member of the archive that is no layer."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class BundledLayer:
    """One of the image's layers, lowest first."""

    diff_id: str
    size: int
    what: str
    """For people; the entrant's word."""
    held: bool
    """Whether its bytes are in the bundle."""


@dataclass(frozen=True)
class BundledInput:
    """An input of the runs: its identity, and whether the bundle has it."""

    name: str
    path: str
    """As the spec says it."""
    sha256: str
    held: bool


@dataclass(frozen=True)
class LeftOut:
    """Something that was there and did not enter."""

    path: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """Everything about a bundle: with its digest, every byte of the rest is fixed."""

    schema_version: int
    reprobox: str
    name: str
    seed: int
    level: str
    spec_digest: str
    lock_digest: str
    image_digest: str
    manifest_digest: str
    tag: str
    layers: tuple[BundledLayer, ...]
    source: tuple[SourceFile, ...]
    """What the image has below ``/work``; files are members below ``reprobox/project/``."""
    inputs: tuple[BundledInput, ...]
    claim: str
    """The run whose outputs are claimed."""
    files: tuple[BundledFile, ...]
    """Every member but this one, its signature and the layers, sorted by path."""
    left_out: tuple[LeftOut, ...]

    def find(self, path: str) -> BundledFile | None:
        """Return the member of that name."""
        return next((one for one in self.files if one.path == path), None)

    @property
    def thin(self) -> bool:
        """Whether layers are left out, for the judge to have them from elsewhere."""
        return not all(layer.held for layer in self.layers)
