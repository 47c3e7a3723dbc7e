"""Spec + lock + source, with every default filled in; nothing after it is optional."""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.lock import ArchiveBase, DebianBase, DebPackage, ImageBase, PythonTarget, Wheel
from reprobox.spec.model import Level


@dataclass(frozen=True, order=True)
class SourceFile:
    """One project file that enters the image below ``/work``."""

    path: str
    """Relative, with forward slashes."""
    executable: bool
    sha256: str
    size: int
    link: str = ""
    """Target, when it is a symbolic link."""


@dataclass(frozen=True)
class StagePlan:
    """One command to run; a spec with ``command`` has one, named "train"."""

    name: str
    command: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Everything the image is a function of, and how to run it."""

    name: str
    seed: int
    level: Level
    switches: tuple[tuple[str, bool | int | str], ...]
    """Determinism switches the runtime sets, by name, sorted."""
    env: tuple[tuple[str, str], ...]
    """The image's whole environment, sorted."""
    base: DebianBase | ImageBase | ArchiveBase
    python: PythonTarget
    system: tuple[DebPackage, ...]
    wheels: tuple[Wheel, ...]
    run: tuple[str, ...]
    source: tuple[SourceFile, ...]
    stages: tuple[StagePlan, ...]
    spec_digest: str
    lock_digest: str
