"""Put together what was found into the text of a spec."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name

from reprobox.errors import ReproboxError
from reprobox.inputs import hash_input
from reprobox.scaffold.code import CodeFacts, read_notebook, read_python
from reprobox.scaffold.declared import choose_python, find_requirements
from reprobox.scaffold.programs import find_programs
from reprobox.scaffold.tree import Tree, list_tree
from reprobox.spec.model import SAFE_SEED_MAX
from reprobox.spec.schema import MODELINE
from reprobox.spec.settings import DEBIAN, NAME_LENGTH
from reprobox.templating import fill_template

DEFAULT_SEED = 32
MAX_CODE_FILES = 500
MAX_INPUT_BYTES = 1 << 30

_SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./\-]*")
_ASIDE = frozenset({"tests", "test", "docs", "doc"})
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null"})
_DATA_FOLDERS = ("data", "dataset", "datasets", "input", "inputs")
_DATA_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".npz", ".npy", ".h5", ".hdf5", ".jsonl")


@dataclass(frozen=True)
class FoundInput:
    """A file or folder that looks like data."""

    name: str
    path: str
    sha256: str


def propose_spec(folder: Path) -> str:
    """Return the commented text of a spec for the project in ``folder``; it is always a valid one.

    Nothing is executed and nothing but the folder is read. What cannot be read is passed over.
    """
    tree = list_tree(folder)
    code = _read_code(tree)
    facts = reduce(CodeFacts.__or__, code.values(), CodeFacts())
    programs = find_programs(code)
    requirements = find_requirements(tree)
    packages = _map_imports(tree, facts.imports, notebook=any("nbconvert" in program.command for program in programs))
    python = choose_python(tree)
    seed = next((seed for seed in facts.seeds if 1 <= seed <= SAFE_SEED_MAX), None)
    inputs = _find_inputs(tree)
    text = fill_template(
        "spec.yaml.j2",
        modeline=MODELINE,
        name=_quote(_make_name(folder)),
        seed=seed or DEFAULT_SEED,
        seed_found=seed is not None,
        python=python,
        image=None if python in DEBIAN.values() else f"python:{python}-slim-bookworm",
        requirements=requirements and _quote(requirements),
        packages=[_quote(package) for package in packages],
        undeclared=_undeclared(tree, requirements, packages),
        system=_map_system(packages),
        programs=[
            {
                "stage": program.stage,
                "command": _quote(shlex.join(program.command)),
                "outputs": [_quote(output) for output in program.outputs],
            }
            for program in programs
        ],
        inputs=inputs,
        inputs_active=facts.reads_input,
    )
    return re.sub("\n{3,}", "\n\n", text)


def _make_name(folder: Path) -> str:
    try:
        name = folder.resolve().name
    except (OSError, RuntimeError):
        name = folder.name
    return re.sub("[^a-z0-9]+", "-", name.lower())[:NAME_LENGTH].strip("-") or "model"


def _read_code(tree: Tree) -> dict[PurePosixPath, CodeFacts]:
    readers = {".py": read_python, ".ipynb": read_notebook}
    paths = [path for path in tree.files if path.suffix in readers and not _ASIDE & set(path.parts)][:MAX_CODE_FILES]
    contents = ((path, tree.read(path)) for path in paths)
    return {path: readers[path.suffix](data) for path, data in contents if data is not None}


@cache
def _read_distributions() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files(__package__).joinpath("distributions.toml").read_text(encoding="utf-8"))


def _map_imports(tree: Tree, imports: Iterable[str], *, notebook: bool) -> list[str]:
    """Return the packages that provide the imports; the project's own modules and Python's are left out."""
    own = {path.stem for path in tree.files if path.suffix in (".py", ".pyx", ".so")} | {
        path.name for path in tree.folders
    }
    known = _read_distributions()["packages"]
    outside = {name for name in imports if name not in own and name not in sys.stdlib_module_names}
    names = {known.get(name, name) for name in outside if name.isascii()} - {""}
    packages = {
        canonicalize_name(name) for name in names if re.fullmatch("[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", name)
    }
    for package, choices in _read_distributions()["one_of"].items():
        if package in packages and not packages & set(choices):
            packages.add(canonicalize_name(choices[0]))
    return sorted(packages | ({"ipykernel", "nbconvert"} if notebook else set()))


def _map_system(packages: Iterable[str]) -> list[str]:
    needs = _read_distributions()["system"]
    return sorted({library for package in packages for library in needs.get(package, ())})


def _undeclared(tree: Tree, requirements: str | None, packages: list[str]) -> list[str]:
    """Return the packages that the code imports and the requirements file never mentions."""
    if requirements is None:
        return []
    text = (tree.read(PurePosixPath(requirements)) or b"").decode("utf-8", errors="replace")
    mentioned = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)}
    return [package for package in packages if package not in mentioned]


def _quote(text: str) -> str:
    """Write a text as a YAML scalar: plain where it cannot be read as anything else."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./ \-]*", text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text)


def _find_inputs(tree: Tree) -> list[FoundInput]:
    """Return what looks like data, hashed, unless it is very large or cannot be hashed."""
    folders = [path for path in tree.folders if len(path.parts) == 1 and path.name.lower() in _DATA_FOLDERS]
    lone = [path for path in tree.files if len(path.parts) == 1 and path.suffix.lower() in _DATA_SUFFIXES][:20]
    found = []
    for path in [*folders, *lone]:
        if not _SAFE_PATH.fullmatch(str(path)) or _size_of(tree, path) > MAX_INPUT_BYTES:
            continue
        try:
            found.append(FoundInput(_quote(path.name), _quote(str(path)), hash_input(tree.root / path)))
        except ReproboxError:
            continue
    return found


def _size_of(tree: Tree, path: PurePosixPath) -> float:
    if not tree.complete:
        return float("inf")
    total = 0
    for file in tree.files:
        if file == path or path in file.parents:
            try:
                total += (tree.root / file).stat().st_size
            except OSError:
                continue
    return total
