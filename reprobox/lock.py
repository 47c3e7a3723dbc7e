"""What a spec resolved to: a hash for every byte that will enter the image."""

from __future__ import annotations

from dataclasses import dataclass

LOCK_SCHEMA = 1


@dataclass(frozen=True, order=True)
class DebPackage:
    """One Debian package file."""

    name: str
    version: str
    architecture: str
    sha256: str
    size: int
    archive: str
    """Which archive of Debian's holds it: ``debian`` or ``debian-security``."""
    path: str
    """Below the archive's root: ``pool/main/…``."""


@dataclass(frozen=True)
class DebianBase:
    """A base bootstrapped from Debian's archive, with the packages in the order of their names."""

    suite: str
    architecture: str
    snapshot: str
    """When the archive was read, ``YYYYmmddTHHMMSSZ``: where the snapshot archive has these packages."""
    packages: tuple[DebPackage, ...]


@dataclass(frozen=True)
class ImageBase:
    """A registry or local image, pinned."""

    reference: str
    """As the spec wrote it, with the manifest digest where a registry gave one (``name@sha256:…``)."""
    config_digest: str
    diff_ids: tuple[str, ...]


@dataclass(frozen=True)
class ArchiveBase:
    """A root-file-system archive in the project."""

    path: str
    sha256: str


@dataclass(frozen=True)
class PythonTarget:
    """The image's interpreter."""

    version: str
    """Full, "3.11.2"."""
    executable: str
    """"/usr/bin/python3.11"."""
    glibc: str
    """"2.36": decides which wheels fit."""


@dataclass(frozen=True, order=True)
class Wheel:
    """One wheel file; ``name`` is normalised."""

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    index: str = ""
    """The spec's own index that serves it; empty for the machine's default ones."""


@dataclass(frozen=True)
class Lock:
    """A whole lock; every tuple is sorted."""

    reprobox: str
    """The version that made it."""
    layer_format: int
    spec_digest: str
    """Over every key of the spec that resolution reads, requirement files' contents included."""
    spec_keys: tuple[tuple[str, str], ...]
    """Key -> digest of its value, so that a stale lock can say which key made it so."""
    base: DebianBase | ImageBase | ArchiveBase
    python: PythonTarget
    system: tuple[DebPackage, ...]
    """Debian packages beyond the base's, the closure of the spec's ``system``."""
    wheels: tuple[Wheel, ...]
