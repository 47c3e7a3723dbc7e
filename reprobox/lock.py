"""What a spec resolved to: a hash for every byte that will enter the image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from reprobox.spec.model import Spec

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
    env: tuple[str, ...]
    """Its environment, ``NAME=value``, sorted; the image built on it keeps what is not set anew."""


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

    @property
    def short(self) -> str:
        """As folders are called after it: "3.11" of "3.11.2"."""
        return ".".join(self.version.split(".")[:2])

    @property
    def numbers(self) -> tuple[int, int]:
        """The same as numbers."""
        major, minor = self.short.split(".")
        return int(major), int(minor)

    @property
    def abi(self) -> str:
        """As wheels have it: "cp311", and before 3.8 "cp37m"."""
        return f"cp{self.short.replace('.', '')}{'m' if self.numbers < (3, 8) else ''}"


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


@dataclass(frozen=True, order=True)
class Sdist:
    """One source archive, built into a wheel by the image's own Python; ``name`` is normalised."""

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    index: str = ""
    """As a wheel's."""


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
    sdists: tuple[Sdist, ...] = ()
    """What the spec's ``from_source`` names."""


def spec_keys(spec: Spec, requirement_text: str | None) -> tuple[tuple[str, str], ...]:
    """Digest each key of ``spec`` that resolution reads; ``requirement_text`` is the requirement file's content.

    A key that is absent or empty is left out, so a later version may read more keys without making old locks stale.
    The order of packages and frameworks does not matter; the order of indexes does.
    """
    values: dict[str, object] = {
        "python": spec.python,
        "base": {key: value for key, value in asdict(spec.base).items() if value is not None},
        "frameworks": spec.frameworks,
        "packages": sorted(spec.packages),
        "from_source": sorted(spec.from_source),
        "requirements": [spec.requirements, requirement_text] if spec.requirements else None,
        "indexes": list(spec.indexes),
        "system": sorted(spec.system),
        "cuda": spec.cuda,
        "cudnn": spec.cudnn,
        "compat": {name: asdict(built) for name, built in spec.compat.items()},
    }
    return tuple(sorted((key, _digest_value(value)) for key, value in values.items() if value))


def spec_digest(keys: tuple[tuple[str, str], ...]) -> str:
    """Digest all of ``keys``: what ``Lock.spec_digest`` holds."""
    return _digest_value([list(pair) for pair in keys])


def stale_keys(lock: Lock, spec: Spec, requirement_text: str | None) -> tuple[str, ...]:
    """Name the keys of ``spec`` that changed since ``lock`` was made; empty when the lock still holds."""
    then, now = dict(lock.spec_keys), dict(spec_keys(spec, requirement_text))
    return tuple(sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key)))


def lock_digest(lock: Lock) -> str:
    """Digest everything ``lock`` says, whatever its text looks like: ``sha256:…``."""
    values = {"base_kind": type(lock.base).__name__, **asdict(sort_lock(lock))}
    if not lock.sdists:
        del values["sdists"]  # which locks did not always have
    return _digest_value(values)


def sort_lock(lock: Lock) -> Lock:
    """Put every tuple of ``lock`` whose order means nothing in order."""
    base = lock.base
    if isinstance(base, DebianBase):
        base = replace(base, packages=tuple(sorted(base.packages)))
    return replace(
        lock,
        base=base,
        spec_keys=tuple(sorted(lock.spec_keys)),
        system=tuple(sorted(lock.system)),
        wheels=tuple(sorted(lock.wheels)),
        sdists=tuple(sorted(lock.sdists)),
    )


def describe_changes(old: Lock | None, new: Lock) -> list[str]:
    """Say what re-locking changed, one short line a change; empty when nothing did."""
    before: tuple[Wheel | Sdist, ...] = (*old.wheels, *old.sdists) if old else ()
    lines = _describe_packages(before, (*new.wheels, *new.sdists))
    if old is None:
        return [*lines, *_count_packages(new)]
    lines += _describe_base(old, new)
    if change := _count_changes(old.system, new.system):
        lines.append(f"system: {change}")
    if old.python != new.python:
        lines.append(f"python: {old.python.version} → {new.python.version}")
    if old.layer_format != new.layer_format:
        lines.append(f"layer format: {old.layer_format} → {new.layer_format}")
    return lines


def _digest_value(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _describe_packages(old: Iterable[Wheel | Sdist], new: Iterable[Wheel | Sdist]) -> list[str]:
    before, after = {one.name: one for one in old}, {one.name: one for one in new}
    lines = []
    for name in sorted(before.keys() | after.keys()):
        was, is_now = before.get(name), after.get(name)
        if was is None or is_now is None:
            there = was or is_now
            assert there is not None
            lines.append(f"{'-' if was else '+'} {name} {there.version}")
        elif was.version != is_now.version:
            lines.append(f"{name} {was.version} → {is_now.version}")
        elif was.sha256 != is_now.sha256:
            lines.append(f"{name} {is_now.version}: another file ({is_now.filename})")
    return lines


def _describe_base(old: Lock, new: Lock) -> list[str]:
    match old.base, new.base:
        case DebianBase() as was, DebianBase() as is_now if was.suite == is_now.suite:
            change = _count_changes(was.packages, is_now.packages)
            return [f"base: {change}"] if change else []
        case was, is_now if was != is_now:
            return [f"base: {_name_base(was)} → {_name_base(is_now)}"]
    return []


def _name_base(base: DebianBase | ImageBase | ArchiveBase) -> str:
    match base:
        case DebianBase():
            return f"Debian {base.suite}"
        case ImageBase():
            return base.reference
        case ArchiveBase():
            return f"{base.path} ({base.sha256[:12]})"


def _count_packages(new: Lock) -> list[str]:
    lines = [f"base: {_name_base(new.base)}"]
    if isinstance(new.base, DebianBase):
        lines[0] += f", {_count(len(new.base.packages))}"
    return lines + ([f"system: {_count(len(new.system))}"] if new.system else [])


def _count(packages: int) -> str:
    return f"{packages} package" + ("" if packages == 1 else "s")


def _count_changes(old: tuple[DebPackage, ...], new: tuple[DebPackage, ...]) -> str:
    before = {(package.name, package.architecture): package.sha256 for package in old}
    after = {(package.name, package.architecture): package.sha256 for package in new}
    counts = {
        "changed": sum(1 for key in before.keys() & after.keys() if before[key] != after[key]),
        "added": len(after.keys() - before.keys()),
        "removed": len(before.keys() - after.keys()),
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    if not parts:
        return ""
    first, *others = parts
    count, what = first.split(" ")
    return ", ".join([f"{_count(int(count))} {what}", *others])
