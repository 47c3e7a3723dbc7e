"""Which variables hold the libraries of an image to one instruction set; the facts, with sources, are in ``data/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

TARGETS = ("avx2", "avx2-intel", "baseline")
"""What a spec may name as ``determinism.cpu``: AVX2 and FMA, the same on Intel's processors only, SSE4.2."""
_SAME_PACKAGE = {"tensorflow-cpu": "tensorflow", "tensorflow-gpu": "tensorflow", "intel-tensorflow": "tensorflow"}


@dataclass(frozen=True)
class Pin:
    """One variable's value for one target, where the versions in a lock are such that it counts."""

    variable: str
    value: str
    readers: Mapping[str, SpecifierSet]
    """Package -> versions; empty: whatever is installed."""

    def counts_for(self, versions: Mapping[str, Version]) -> bool:
        """Whether one of the readers is there, and each that is there has a version that knows the value."""
        found = [
            known.contains(versions[name], prereleases=True) for name, known in self.readers.items() if name in versions
        ]
        return not self.readers or (bool(found) and all(found))


@dataclass(frozen=True)
class Gap:
    """A package in a lock that a variable would pin, were its version another."""

    package: str
    version: str
    variable: str


@dataclass(frozen=True)
class Promise:
    """What holds for one kind of computation between two processors that can run a target."""

    id: str
    """By which the languages of reports have it."""
    what: str
    """The library and its functions, in Markdown."""
    holds: str
    """"same", "not promised", or why neither can be said."""
    checked: str
    """How that is known; empty where it is not."""


def choose_pins(target: str, installed: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that pin ``target``; ``installed`` maps normalised names, and ``glibc``, to versions."""
    versions = _parse(installed)
    chosen: dict[str, str] = {}
    for pin in list_pins(target):
        if pin.counts_for(versions):
            chosen[pin.variable] = f"{chosen[pin.variable]} {pin.value}" if pin.variable in chosen else pin.value
    return dict(sorted(chosen.items()))


def find_gaps(target: str, installed: Mapping[str, str]) -> tuple[Gap, ...]:
    """Return which packages some pin is made for, though none that is known to suit the locked version."""
    versions = _parse(installed)
    pins = list_pins(target)
    readers = {(name, pin.variable) for pin in pins for name in pin.readers if name in versions}
    met = {(name, pin.variable) for pin in pins for name in pin.readers if pin.counts_for(versions)}
    return tuple(Gap(name, str(versions[name]), variable) for name, variable in sorted(readers - met))


def list_promises(target: str, installed: Mapping[str, str]) -> tuple[Promise, ...]:
    """Return what is promised for an image with these packages, in the order of the documentation.

    Nothing is where ``target`` is "".
    """
    names = {_SAME_PACKAGE.get(name, name) for name in installed}
    return tuple(
        Promise(entry["id"], entry["what"], entry[target], entry.get("checked", ""))
        for entry in load_promises()
        if target and (not entry.get("packages") or names & set(entry["packages"]))
    )


def pinned_variables() -> frozenset[str]:
    """Return every variable that some target sets for some version."""
    return frozenset(entry["variable"] for entry in load_entries())


def list_pins(target: str) -> tuple[Pin, ...]:
    """Return every pin of a target, whatever is installed, in the order of the data file."""
    return tuple(
        Pin(entry["variable"], value, {name: SpecifierSet(known) for name, known in entry.get("readers", {}).items()})
        for entry in load_entries()
        if (value := read_value(entry, target)) is not None
    )


def read_value(entry: Mapping[str, Any], target: str) -> str | None:
    """Return an entry's value for a target: ``avx2-intel`` is ``avx2`` unless the entry says otherwise."""
    value = entry.get(target, entry.get(target.partition("-")[0]))
    return None if value is None else str(value)


def load_entries() -> tuple[Mapping[str, Any], ...]:
    """Return the data file's pins as they are written there."""
    return tuple(_load_data()["pins"])


def load_promises() -> tuple[Mapping[str, Any], ...]:
    """Return the data file's promises as they are written there."""
    return tuple(_load_data()["promises"])


@cache
def _load_data() -> Mapping[str, Any]:
    import yaml

    return dict(yaml.safe_load(files("reprobox").joinpath("data", "portable.yaml").read_text("utf-8")))


def _parse(installed: Mapping[str, str]) -> dict[str, Version]:
    versions: dict[str, Version] = {}
    for name, version in installed.items():
        try:
            versions[_SAME_PACKAGE.get(name, name)] = Version(version)
        except InvalidVersion:
            continue
    return versions
