"""Find the programs of a project that train, prepare and predict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from reprobox.scaffold.code import CodeFacts

_SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./\-]*")
_STAGES = {
    "prepare": ("prepare.py", "preprocess.py", "preprocessing.py", "prepare_data.py", "make_dataset.py"),
    "train": ("train.py", "training.py", "train_model.py", "fit.py", "main.py", "run.py"),
    "predict": ("predict.py", "inference.py", "infer.py", "test.py", "submit.py"),
}


@dataclass(frozen=True)
class Program:
    """One command of the spec to be."""

    stage: str
    """Empty where there is but one program."""
    command: tuple[str, ...]
    outputs: tuple[str, ...]
    """What its code writes below /output and no earlier program's does, sorted."""


def find_programs(code: Mapping[PurePosixPath, CodeFacts]) -> list[Program]:
    """Return the one program, or the stages where there is more than training; nothing where nothing is obvious."""
    scripts = [path for path in code if _SAFE_PATH.fullmatch(str(path))]
    train = _find_script(scripts, _STAGES["train"])
    found: dict[str, PurePosixPath | None] = {"train": train or _guess_script(scripts, code)}
    if train is not None:
        beside = [path for path in scripts if path.parent == train.parent]
        found = {stage: _find_script(beside, names) for stage, names in _STAGES.items()}
    paths = {stage: path for stage, path in found.items() if path is not None}
    if len(paths) > 1:
        return _share_outputs(paths, code)
    outputs = sorted({output for facts in code.values() for output in facts.outputs})
    return [Program("", _run(path), tuple(outputs)) for path in paths.values()]


def _share_outputs(paths: Mapping[str, PurePosixPath], code: Mapping[PurePosixPath, CodeFacts]) -> list[Program]:
    """Give each output to the first stage that speaks of it: the later ones read it."""
    programs = []
    taken: set[str] = set()
    for stage, path in paths.items():
        programs.append(Program(stage, _run(path), tuple(sorted(code[path].outputs - taken))))
        taken |= code[path].outputs
    return programs


def _find_script(scripts: list[PurePosixPath], names: Iterable[str]) -> PurePosixPath | None:
    """Return the first of ``names`` that there is, nearest to the top."""
    for name in names:
        matches = [path for path in scripts if path.name == name and len(path.parts) <= 3]
        if matches:
            return min(matches, key=lambda path: (len(path.parts), path))
    return None


def _guess_script(scripts: list[PurePosixPath], code: Mapping[PurePosixPath, CodeFacts]) -> PurePosixPath | None:
    """Return a program whose name speaks of training, any program, or the only file there is."""
    programs = [path for path in scripts if code[path].runs and not path.name.startswith("test")]
    training = [path for path in scripts if "train" in path.stem.lower()]
    candidates = training or programs or (scripts if len(scripts) == 1 else [])
    return min(candidates, key=lambda path: (path.suffix != ".py", len(path.parts), path), default=None)


def _run(path: PurePosixPath) -> tuple[str, ...]:
    if path.suffix == ".ipynb":
        return ("jupyter", "nbconvert", "--to", "notebook", "--execute", "--output-dir", "/output", str(path))
    return ("python", str(path))
