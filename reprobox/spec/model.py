"""The spec, version 1, as frozen data: shapes and defaults only.

Reading it from YAML, and everything that can be wrong with it, is in :mod:`reprobox.spec.load`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

SAFE_SEED_MAX = 2_147_462_578
"""Largest seed that every known backend takes unchanged (the limit is Theano's MRG generator)."""
WIDE_SEED_MAX = 2**32 - 1
"""Largest seed that NumPy and the hash seed take; allowed where every backend in the spec does."""


class Level(StrEnum):
    """How much determinism a run is given."""

    OFF = "off"
    SEEDED = "seeded"
    BITWISE = "bitwise"
    PORTABLE = "portable"


@dataclass(frozen=True, kw_only=True)
class Base:
    """What the image stands on: exactly one of the three."""

    debian: str | None = None
    """A Debian release by number or name ("12", "bookworm"); the default follows ``python``."""
    image: str | None = None
    """A registry image, by tag or by digest; the lock pins the digest."""
    archive: str | None = None
    """A root-file-system archive or saved image in the project."""
    sha256: str | None = None
    """The archive's, or the local image's, sha256; needed with ``archive``."""


@dataclass(frozen=True, kw_only=True)
class Determinism:
    """The level and single switches that override it; ``None`` leaves a switch to the level."""

    level: Level = Level.BITWISE
    hash_seed: int | None = None
    threads: int | None = None
    deterministic_kernels: bool | None = None
    cudnn_benchmark: bool | None = None
    tf32: bool | None = None
    cublas_workspace: str | None = None
    fill_uninitialized_memory: bool | None = None
    cpu: Literal["avx2", "avx2-intel", "baseline"] | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which project files enter the image; ignore files are respected."""

    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of the training, runnable alone."""

    command: tuple[str, ...]
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The steps contests ask for, in the order they run; at least one is present."""

    prepare: Stage | None = None
    train: Stage | None = None
    predict: Stage | None = None


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file or folder that a run reads, mounted read-only at ``/input/<name>``."""

    path: str
    sha256: str
    """Of the file; or of a folder: see :func:`reprobox.inputs.hash_folder`."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Limits on one run; ``None`` means the machine's own."""

    cpus: float | None = None
    memory: int | None = None
    """Bytes; the YAML takes "8g" too."""
    shm: int | None = None
    """Bytes of /dev/shm."""
    timeout: float | None = None
    """Seconds for the whole run; the YAML takes "2h" too."""


@dataclass(frozen=True, kw_only=True)
class BuiltFor:
    """What a framework's version was built for, where the tables do not say it or say something else."""

    cuda: str
    cudnn: str | None = None


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A whole spec, every value checked; what was left out has its default."""

    reprobox: Literal[1]
    name: str
    seed: int
    python: str = "3.11"
    """Major and minor version."""
    base: Base = Base()
    frameworks: dict[str, str] = field(default_factory=dict)
    """Framework -> exact version, or a version with a local part ("2.13.0+cpu")."""
    packages: tuple[str, ...] = ()
    """Requirement strings (PEP 508, names and versions only)."""
    requirements: str | None = None
    """A requirements file, pyproject.toml or uv.lock in the project (YAML: ``packages: {requirements: …}``)."""
    from_source: tuple[str, ...] = ()
    """Names of packages that are built from their source archives (YAML: ``packages: {from_source: …}``)."""
    indexes: tuple[str, ...] = ()
    """Extra package indexes or find-links folders, by URL."""
    system: tuple[str, ...] = ()
    """Debian package names."""
    run: tuple[str, ...] = ()
    """Extra build steps, each a shell line run without network after the packages are in."""
    cuda: str | None = None
    """A version, or "auto"."""
    cudnn: str | None = None
    compat: dict[str, BuiltFor] = field(default_factory=dict)
    """Framework -> what it was built for, in place of the tables."""
    determinism: Determinism = Determinism()
    source: Source = Source()
    env: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    stages: Stages | None = None
    inputs: dict[str, Input] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    """What a run must leave under /output, and what is compared later; relative paths or globs."""
    network: bool = False
    resources: Resources = Resources()
