"""What a project already declares: its requirements file and the Pythons it allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from reprobox.scaffold.tree import Tree
from reprobox.spec.settings import DEBIAN, PYTHONS

_SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./\-]*")


def find_requirements(tree: Tree) -> str | None:
    """Return the file that pins most: uv.lock, then requirements*.txt, then a pyproject.toml with dependencies."""
    if tree.has("uv.lock") and tree.has("pyproject.toml"):
        return "uv.lock"
    if tree.has("requirements.txt"):
        return "requirements.txt"
    others = [
        str(path)
        for path in tree.files
        if path.name.startswith("requirements") and path.suffix in (".txt", ".in") and len(path.parts) <= 2
    ]
    others += [str(path) for path in tree.files if path.parent.name == "requirements" and path.suffix == ".txt"]
    usable = [path for path in others if _SAFE_PATH.fullmatch(path) and not re.search("dev|test|doc|lint", path)]
    if usable:
        return min(usable, key=lambda path: (path.count("/"), len(path), path))
    return "pyproject.toml" if _project_table(tree).get("dependencies") else None


def _project_table(tree: Tree) -> dict[str, object]:
    table = _read_toml(tree, "pyproject.toml").get("project")
    return table if isinstance(table, dict) else {}


def _read_toml(tree: Tree, name: str) -> dict[str, object]:
    data = tree.read(PurePosixPath(name)) if tree.has(name) else None
    try:
        return tomllib.loads((data or b"").decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):  # the first also for a number longer than Python reads
        return {}


def choose_python(tree: Tree) -> str:
    """Return the Python to use: the default's if the project allows it, else a Debian's, else any it allows."""
    allowed = [version for version in PYTHONS if _allows(tree, version)]
    preferred = ["3.11", *sorted(set(DEBIAN.values()) - {"3.11"}, key=lambda version: -int(version[2:]))]
    return next((version for version in [*preferred, *reversed(allowed)] if version in allowed), "3.11")


def _allows(tree: Tree, version: str) -> bool:
    wanted = _project_table(tree).get("requires-python") or _read_toml(tree, "uv.lock").get("requires-python")
    if not isinstance(wanted, str):
        return True
    try:
        specifiers = SpecifierSet(wanted)
    except InvalidSpecifier:
        return True
    # A patch release that any Debian or image of this version has reached.
    return any(specifiers.contains(f"{version}.{patch}") for patch in (0, 2, 5, 9))
