"""Resolve a Debian base: which package files make it, and which Python it brings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprobox.errors import LockError
from reprobox.lock import DebianBase, DebPackage, PythonTarget
from reprobox.resolve.deb_archive import ArchiveState, Downloads, read_archive
from reprobox.resolve.deb_closure import choose_packages
from reprobox.resolve.deb_index import Record
from reprobox.resolve.deb_mirror import DebianMirror
from reprobox.resolve.deb_releases import DebianRelease

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of each architecture -> the machine's."""


@dataclass(frozen=True)
class DebianRequest:
    """What to resolve, and from where."""

    release: DebianRelease
    system: tuple[str, ...]
    """Packages the spec wants beside the base's."""
    mirror: DebianMirror
    keyring: Path | None
    """Debian's archive keys; ``None``: signatures cannot be checked."""
    architecture: str = "amd64"


@dataclass(frozen=True)
class DebianResolution:
    """What a request resolved to."""

    base: DebianBase
    system: tuple[DebPackage, ...]
    python: PythonTarget


def resolve_debian(request: DebianRequest, downloads: Downloads, on_warning: Callable[[str], None]) -> DebianResolution:
    """Choose the packages of a base and of the spec's ``system`` from the archive as it is now."""
    release = request.release
    state = _read_state(request, downloads, on_warning)
    base = choose_packages(state.index, release.packages, suite=release.suite)
    more = choose_packages(state.index, request.system, suite=release.suite, installed=base, essential=False)
    packages = _to_packages(base)
    return DebianResolution(
        DebianBase(release.suite, request.architecture, state.snapshot, packages),
        _to_packages(more),
        find_python(packages, release.python),
    )


def resolve_system(
    request: DebianRequest, status: bytes, downloads: Downloads, on_warning: Callable[[str], None]
) -> tuple[str, tuple[DebPackage, ...]]:
    """Choose what ``system`` needs on an image that has packages already: ``status`` is its dpkg's.

    Returns the snapshot time too. A package of the image is replaced only where something needs another version.
    """
    state = _read_state(request, downloads, on_warning)
    installed = read_status(status)
    more = choose_packages(
        state.index, request.system, suite=request.release.suite, installed=installed, essential=False
    )
    return state.snapshot, _to_packages(more)


def read_status(status: bytes) -> tuple[Record, ...]:
    """Return the installed packages of a dpkg status file."""
    stanzas = (Record(stanza.strip(b"\n"), "") for stanza in status.split(b"\n\n") if stanza.strip())
    return tuple(one for one in stanzas if one.field("status").split()[-1:] == ["installed"])


def find_python(packages: Sequence[DebPackage], version: str) -> PythonTarget:
    """Return the interpreter that a set of packages brings."""
    by_name = {package.name: package.version for package in packages}
    full = _upstream(by_name.get(f"python{version}", ""))
    glibc = re.match(r"\d+\.\d+", _upstream(by_name.get("libc6", "")))
    if not full.startswith(f"{version}.") or glibc is None:
        raise LockError(f"the Debian archive's release does not bring Python {version} as it should")
    return PythonTarget(full, f"/usr/bin/python{version}", glibc[0])


def _upstream(version: str) -> str:
    found = re.match(r"(?:\d+:)?([0-9.]+)", version)
    return found[1] if found else ""


def _read_state(request: DebianRequest, downloads: Downloads, on_warning: Callable[[str], None]) -> ArchiveState:
    return read_archive(
        request.mirror,
        request.release.suite,
        request.architecture,
        downloads=downloads,
        keyring=request.keyring,
        on_warning=on_warning,
    )


def _to_packages(records: Iterable[Record]) -> tuple[DebPackage, ...]:
    return tuple(sorted(record.to_package() for record in records))
