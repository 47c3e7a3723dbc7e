"""What is known of Debian's releases: which one brings which Python, and what a base holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_DATA = Path(__file__).parent.parent / "data" / "debian.yaml"


@dataclass(frozen=True)
class DebianRelease:
    """One release that can be a base."""

    number: str
    suite: str
    python: str
    """Major and minor version of its interpreter."""
    packages: tuple[str, ...]
    """Wanted in every base, beside the essential packages."""


@dataclass(frozen=True)
class DebianFacts:
    """The data file."""

    snapshot: str
    """Address of the snapshot archive."""
    keyring: str
    """Where Debian systems keep the archive's keys."""
    releases: tuple[DebianRelease, ...]


@cache
def read_debian_facts() -> DebianFacts:
    """Read the data file."""
    data = yaml.safe_load(_DATA.read_text("utf-8"))
    releases = (
        DebianRelease(one["number"], one["suite"], one["python"], tuple(sorted({*data["packages"], *one["packages"]})))
        for one in data["releases"]
    )
    return DebianFacts(data["snapshot"], data["keyring"], tuple(releases))


def find_release(name: str) -> DebianRelease | None:
    """Return the release of that number or name."""
    return next((one for one in read_debian_facts().releases if name.lower() in (one.number, one.suite)), None)


def find_release_with_python(version: str) -> DebianRelease | None:
    """Return the release that brings Python ``version`` ("3.11")."""
    return next((one for one in read_debian_facts().releases if one.python == version), None)


def list_releases() -> str:
    """Say which Python each release brings: "3.9 (Debian 11), …"."""
    return ", ".join(f"{one.python} (Debian {one.number})" for one in read_debian_facts().releases)
