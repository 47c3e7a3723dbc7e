"""The variables that single backends read too early to be told otherwise; ``data/`` lists them with their sources."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

_JOINED_BY = {"XLA_FLAGS": " "}
"""Variables that hold several settings; in any other the later value replaces the earlier."""


def list_backend_variables(
    packages: Mapping[str, str], switches: Mapping[str, bool | int | str], seed: int | None
) -> dict[str, str]:
    """Return the variables for these packages (name -> version) under these switches; ``seed`` is None at ``off``."""
    values = {**switches, **({} if seed is None else {"seed": seed})}
    versions = {str(canonicalize_name(name)): version for name, version in packages.items()}
    found: dict[str, str] = {}
    for entry in load_variables():
        if _is_wanted(entry["when"], values) and _is_installed(entry, versions):
            merge_variables(found, {entry["name"]: entry["value"].format(**values)})
    return found


def merge_variables(below: dict[str, str], above: Mapping[str, str]) -> None:
    """Put ``above`` over ``below``; a variable that holds several settings keeps both, the upper ones last."""
    for name, value in above.items():
        below[name] = f"{below[name]}{_JOINED_BY[name]}{value}" if name in below and name in _JOINED_BY else value


@cache
def load_variables() -> tuple[dict[str, Any], ...]:
    """Return the table's entries."""
    text = files(__package__).joinpath("data", "backend_variables.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["variable"])


def _is_wanted(when: str, values: Mapping[str, bool | int | str]) -> bool:
    name = when.removeprefix("not ")
    return name in values and (values[name] is False) == when.startswith("not ")


def _is_installed(entry: Mapping[str, Any], versions: Mapping[str, str]) -> bool:
    for name, known in entry.get("beside", {}).items():
        if name in versions and versions[name] not in SpecifierSet(known, prereleases=True):
            return False
    wanted = SpecifierSet(entry.get("versions", ""), prereleases=True)
    return any(_matches(name, entry["packages"]) and version in wanted for name, version in versions.items())


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
