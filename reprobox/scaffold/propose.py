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

from packaging.utils import canonicalize_name

from reprobox.errors import ReproboxError
from reprobox.inputs import hash_input
from reprobox.scaffold.code import CodeFacts, read_notebook, read_python
from reprobox.scaffold.declared import choose_python, find_requirements
from reprobox.scaffold.tree import Tree, list_tree
from reprobox.spec.model import SAFE_SEED_MAX
from reprobox.spec.schema import MODELINE
from reprobox.spec.settings import DEBIAN, NAME_LENGTH
from reprobox.templating import fill_template

DEFAULT_SEED = 32
MAX_CODE_FILES = 500
MAX_INPUT_BYTES = 1 << 30

_SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./\-]*")
_STAGES = {
    "prepare": ("prepare.py", "preprocess.py", "preprocessing.py", "prepare_data.py", "make_dataset.py"),
    "train": ("train.py", "training.py", "train_model.py", "fit.py", "main.py", "run.py"),
    "predict": ("predict.py", "inference.py", "infer.py", "test.py", "submit.py"),
}
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
    command, stages = _find_programs(tree, code)
    requirements = find_requirements(tree)
    packages = _map_imports(tree, facts.imports, notebook=bool(command) and "nbconvert" in command)
    python = choose_python(tree)
    seed = next((seed for seed in facts.seeds if 1 <= seed <= SAFE_SEED_MAX), None)
    inputs = _find_inputs(tree)
    return fill_template(
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
        command=_quote_words(command or ["python", "train.py"]),
        command_missing=not command and not stages,
        stages=[(stage, _quote_words(words)) for stage, words in stages],
        inputs=inputs,
        inputs_active=facts.reads_input,
        outputs=[_quote(path) for path in sorted(facts.outputs)],
    )


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
def _distributions() -> tuple[dict[str, str], dict[str, list[str]]]:
    table = tomllib.loads(files(__package__).joinpath("distributions.toml").read_text(encoding="utf-8"))
    return table["packages"], table["system"]


def _map_imports(tree: Tree, imports: Iterable[str], *, notebook: bool) -> list[str]:
    """Return the packages that provide the imports; the project's own modules and Python's are left out."""
    own = {path.stem for path in tree.files if path.suffix in (".py", ".pyx", ".so")} | {
        path.name for path in tree.folders
    }
    known = _distributions()[0]
    outside = {name for name in imports if name not in own and name not in sys.stdlib_module_names}
    names = {known.get(name, name) for name in outside if name.isascii()} - {""}
    packages = {
        canonicalize_name(name) for name in names if re.fullmatch("[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", name)
    }
    return sorted(packages | ({"ipykernel", "nbconvert"} if notebook else set()))


def _map_system(packages: Iterable[str]) -> list[str]:
    needs = _distributions()[1]
    return sorted({library for package in packages for library in needs.get(package, ())})


def _undeclared(tree: Tree, requirements: str | None, packages: list[str]) -> list[str]:
    """Return the packages that the code imports and the requirements file never mentions."""
    if requirements is None:
        return []
    text = (tree.read(PurePosixPath(requirements)) or b"").decode("utf-8", errors="replace")
    mentioned = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)}
    return [package for package in packages if package not in mentioned]


def _find_programs(tree: Tree, code: dict[PurePosixPath, CodeFacts]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the command, or the stages where there is more than training."""
    scripts = [path for path in code if _SAFE_PATH.fullmatch(str(path))]
    train = _find_script(scripts, _STAGES["train"])
    if train is None:
        guess = _guess_script(scripts, code)
        return (_run_script(guess) if guess else []), []
    beside = [path for path in scripts if path.parent == train.parent]
    found = {stage: _find_script(beside, names) for stage, names in _STAGES.items()}
    if found["prepare"] or found["predict"]:
        return [], [(stage, _run_script(path)) for stage, path in found.items() if path]
    return _run_script(train), []


def _find_script(scripts: list[PurePosixPath], names: Iterable[str]) -> PurePosixPath | None:
    """Return the first of ``names`` that there is, nearest to the top."""
    for name in names:
        matches = [path for path in scripts if path.name == name and len(path.parts) <= 3]
        if matches:
            return min(matches, key=lambda path: (len(path.parts), path))
    return None


def _guess_script(scripts: list[PurePosixPath], code: dict[PurePosixPath, CodeFacts]) -> PurePosixPath | None:
    """Return a program whose name speaks of training, any program, or the only file there is."""
    programs = [path for path in scripts if code[path].runs and not path.name.startswith("test")]
    training = [path for path in scripts if "train" in path.stem.lower()]
    candidates = training or programs or (scripts if len(scripts) == 1 else [])
    return min(candidates, key=lambda path: (path.suffix != ".py", len(path.parts), path), default=None)


def _run_script(path: PurePosixPath) -> list[str]:
    if path.suffix == ".ipynb":
        return ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--output-dir", "/output", str(path)]
    return ["python", str(path)]


def _quote_words(words: list[str]) -> str:
    return _quote(shlex.join(words))


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
