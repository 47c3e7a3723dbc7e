"""Packages files of Debian archives as records that can be looked up by name or by what they provide."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from debian.deb822 import PkgRelation
from debian.debian_support import Version

from reprobox.errors import LockError
from reprobox.lock import DebPackage

_FIELD = re.compile(rb"^([!-9;-~]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_RANKS = {"required": 0, "important": 1, "standard": 2, "optional": 3}
_PROVIDES = re.compile(r"([a-z0-9][a-z0-9+.-]+)")


@dataclass(frozen=True)
class Relation:
    """One package a field names: ``libc6 (>= 2.36)``."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def accepts(self, version: str | None) -> bool:
        """Whether ``version`` fits; ``None``, the version of an unversioned provider, fits only no demand."""
        if not self.operator:
            return True
        if version is None:
            return False
        ours, theirs = order_of(version), order_of(self.version)
        match self.operator:
            case "<<":
                return ours < theirs
            case "<=" | "<":
                return ours <= theirs
            case "=":
                return ours == theirs
            case ">=" | ">":
                return ours >= theirs
            case ">>":
                return ours > theirs
            case _:
                return False


Clause = tuple[Relation, ...]
"""Alternatives, the preferred first."""


@lru_cache(maxsize=65536)
def order_of(version: str) -> Version:
    """Return what Debian compares versions by."""
    try:
        return Version(version)
    except ValueError as exc:
        raise LockError(f"the Debian archive has a version that is none: {version!r}") from exc


class Record:
    """One stanza of a Packages file (or of dpkg's status), read where it is asked for."""

    def __init__(self, stanza: bytes, archive: str) -> None:
        self._stanza = stanza
        self.archive = archive

    @cached_property
    def _fields(self) -> dict[str, str]:
        return {key.decode().lower(): value.decode("utf-8", "replace") for key, value in _FIELD.findall(self._stanza)}

    def field(self, name: str) -> str:
        """Return a field's text, empty where there is none."""
        return self._fields.get(name, "")

    @property
    def name(self) -> str:
        """The package's name."""
        return self.field("package")

    @property
    def version(self) -> str:
        """The package's version."""
        return self.field("version")

    @property
    def essential(self) -> bool:
        """Whether every Debian system must have it."""
        return self.field("essential") == "yes"

    @cached_property
    def depends(self) -> tuple[Clause, ...]:
        """What it needs, Pre-Depends first."""
        return parse_relations(self.field("pre-depends")) + parse_relations(self.field("depends"))

    @cached_property
    def excludes(self) -> tuple[Relation, ...]:
        """What it cannot be installed with (Conflicts and Breaks)."""
        clauses = parse_relations(self.field("conflicts")) + parse_relations(self.field("breaks"))
        return tuple(relation for clause in clauses for relation in clause)

    @cached_property
    def provides(self) -> tuple[tuple[str, str | None], ...]:
        """Other names it answers to, each with the version it claims."""
        clauses = parse_relations(self.field("provides"))
        return tuple((one.name, one.version or None) for clause in clauses for one in clause)

    def satisfies(self, relation: Relation) -> bool:
        """Whether having this package satisfies ``relation``."""
        if self.name == relation.name:
            return relation.accepts(self.version)
        return any(name == relation.name and relation.accepts(version) for name, version in self.provides)

    def to_package(self) -> DebPackage:
        """Return what the lock keeps; raise ``LockError`` where the stanza lacks something."""
        path, sha256, size = self.field("filename"), self.field("sha256"), self.field("size")
        if not (re.fullmatch(r"[0-9a-f]{64}", sha256) and size.isdigit() and _is_pool_path(path)):
            raise LockError(f"the Debian archive's entry for {self.name} {self.version} has no usable file and sha256")
        return DebPackage(self.name, self.version, self.field("architecture"), sha256, int(size), self.archive, path)


def _is_pool_path(path: str) -> bool:
    parts = path.split("/")
    return bool(re.fullmatch(r"[A-Za-z0-9+.~_:%/-]+\.deb", path)) and not {"", ".", ".."} & set(parts)


@lru_cache(maxsize=65536)
def parse_relations(text: str) -> tuple[Clause, ...]:
    """Parse a relationship field."""
    if not text.strip():
        return ()
    clauses = []
    for alternatives in PkgRelation.parse_relations(text):
        clause = []
        for one in alternatives:
            operator, version = one["version"] or ("", "")
            clause.append(Relation(one["name"], operator, version))
        clauses.append(tuple(clause))
    return tuple(clauses)


class PackageIndex:
    """The newest version of every package in some Packages files."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Record]] = {}
        self._providers: dict[str, list[Record]] = {}
        self._essential: list[Record] = []

    def add(self, packages: bytes, archive: str) -> None:
        """Add the stanzas of one Packages file."""
        for stanza in packages.split(b"\n\n"):
            stanza = stanza.lstrip(b"\n")
            if not stanza.startswith(b"Package:"):
                continue
            name = stanza[8 : stanza.find(b"\n")].strip().decode()
            record = Record(stanza, archive)
            self._by_name.setdefault(name, []).append(record)
            if b"\nEssential: yes" in stanza:
                self._essential.append(record)
            at = stanza.find(b"\nProvides:")
            if at >= 0:
                line = stanza[at + 10 : stanza.find(b"\n", at + 10)]
                for provided in set(_PROVIDES.findall(line.decode())):
                    self._providers.setdefault(provided, []).append(record)

    def versions(self, name: str) -> list[Record]:
        """Return every version of ``name``, the newest first."""
        return sorted(self._by_name.get(name, ()), key=lambda record: order_of(record.version), reverse=True)

    def best(self, relation: Relation) -> Record | None:
        """Return the newest package of that name which fits."""
        return next((one for one in self.versions(relation.name) if relation.accepts(one.version)), None)

    def provider(self, relation: Relation) -> Record | None:
        """Return the package that provides ``relation``; of several the one Debian ranks highest, then by name."""
        names = sorted({record.name for record in self._providers.get(relation.name, ())})
        newest = (self.versions(name)[0] for name in names)
        fitting = [record for record in newest if record.satisfies(relation)]
        return min(fitting, key=lambda record: _RANKS.get(record.field("priority"), 9), default=None)

    def essential(self) -> list[Record]:
        """Return the newest version of every essential package, by name."""
        names = sorted({record.name for record in self._essential})
        return [record for name in names if (record := self.versions(name)[0]).essential]

    def names(self) -> Iterable[str]:
        """Return every name, real and provided."""
        return {*self._by_name, *self._providers}
