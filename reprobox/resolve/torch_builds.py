"""Builds of torch: one version is there for the CPU and for several CUDAs, told apart by ``+cpu`` or ``+cu130``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprobox.resolve.compat import find_default_torch_build
from reprobox.uv import Resolved

FAMILY = ("torch", "torchaudio", "torchtext", "torchvision")
"""What PyTorch builds once for each backend; a mix of builds does not import."""


def choose_torch_backend(frameworks: Mapping[str, str], cuda: str | None) -> str:
    """Choose torch's build: what its version says, else the spec's CUDA, else the CPU.

    No ``cuda`` means the CPU build, because the default one of the public index brings gigabytes of CUDA.
    """
    local = Version(frameworks["torch"]).local if _is_version(frameworks.get("torch")) else None
    if local:
        return local
    if cuda is None:
        return "cpu"
    major, minor = (*cuda.split("."), "0")[:2]
    return f"cu{major}{minor}"


def read_build(version: str) -> str | None:
    """Return the CUDA that a torch's own version names: "12.6" for "2.13.0+cu126"."""
    local = Version(version).local if _is_version(version) else None
    found = re.fullmatch(r"cu(\d+)(\d)", local or "")
    return f"{found[1]}.{found[2]}" if found else None


def list_framework_requirements(frameworks: Mapping[str, str], cuda: str | None) -> tuple[str, ...]:
    """Turn the spec's frameworks into requirements, with the extras that bring CUDA where that is how it comes.

    TensorFlow stays ``tensorflow`` without ``cuda`` too: ``tensorflow-cpu`` is a smaller download, but another
    package by name, and whatever depends on ``tensorflow`` would bring that one besides.
    """
    extras = {}
    if cuda:
        extras = {"tensorflow": "[and-cuda]", "jax": f"[cuda{cuda.split('.')[0]}]"}
    return tuple(f"{name}{extras.get(name, '')}=={version}" for name, version in sorted(frameworks.items()))


def pin_build(line: str, backend: str) -> str:
    """Make ``torch==2.13.0`` ask for one build of it; other requirements stay as they are."""
    requirement = Requirement(line)
    if canonicalize_name(requirement.name) not in FAMILY:
        return line
    version = _find_exact(requirement)
    if version is None or version.local:
        return line
    # The public index's own build has no local part. "===" keeps ==2.13.0 from also meaning 2.13.0+cpu.
    pin = f"==={version}" if _is_default(requirement.name, version, backend) else f"=={version}+{backend}"
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}{pin}{marker}"


def find_wrong_builds(packages: Iterable[Resolved], backend: str) -> tuple[Resolved, ...]:
    """Return those of torch's family that are another build than ``backend``."""
    family = {package.name: package for package in packages if canonicalize_name(package.name) in FAMILY}
    torch = family.get("torch")
    plain_is_right = torch is not None and find_default_torch_build(torch.version.partition("+")[0]) == backend
    right = (backend, "") if plain_is_right else (backend,)
    return tuple(package for package in family.values() if package.version.partition("+")[2] not in right)


def is_about_torch(message: str) -> bool:
    """Whether uv's message speaks of torch or its family."""
    return re.search(rf"\b({'|'.join(FAMILY)})\b", message) is not None


def _is_default(name: str, version: Version, backend: str) -> bool:
    if canonicalize_name(name) == "torch":
        return find_default_torch_build(str(version)) == backend
    return False


def _find_exact(requirement: Requirement) -> Version | None:
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator not in ("==", "===") or "*" in specifiers[0].version:
        return None
    return Version(specifiers[0].version) if _is_version(specifiers[0].version) else None


def _is_version(text: str | None) -> bool:
    try:
        return bool(Version(text or ""))
    except InvalidVersion:
        return False
