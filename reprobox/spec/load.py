"""YAML text -> Spec: reads every key, and reports everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from reprobox.errors import Problem, SpecError, UsageError
from reprobox.spec import settings
from reprobox.spec.commands import read_command, read_run_step, read_stages
from reprobox.spec.environment import read_variable
from reprobox.spec.model import Spec
from reprobox.spec.packages import (
    read_built_for,
    read_cuda,
    read_cudnn,
    read_framework,
    read_index,
    read_packages,
    read_system_package,
)
from reprobox.spec.paths import read_output
from reprobox.spec.positions import LoadedSpec, collect_positions
from reprobox.spec.relations import check_relations
from reprobox.spec.values import Reader, Value, hint_unknown, read_fields, read_list, read_table
from reprobox.spec.yaml_nodes import MAX_BYTES, Position, decode_text, parse_nodes

_ELSEWHERE = {
    "entrypoint": "did you mean 'command'?",
    "cmd": "did you mean 'command'?",
    "script": "did you mean 'command'?",
    "main": "did you mean 'command'?",
    "train": "write 'stages: {train: …}', or 'command'",
    "prepare": "write 'stages: {prepare: …}'",
    "predict": "write 'stages: {predict: …}'",
    "version": "did you mean 'reprobox'?",
    "random_seed": "did you mean 'seed'?",
    "python_version": "did you mean 'python'?",
    "pip": "did you mean 'packages'?",
    "dependencies": "did you mean 'packages'?",
    "requirements": "write 'packages: {requirements: requirements.txt}'",
    "index": "did you mean 'indexes'?",
    "index_url": "did you mean 'indexes'?",
    "extra_index_url": "did you mean 'indexes'?",
    "find_links": "did you mean 'indexes'?",
    "apt": "did you mean 'system'?",
    "apt_packages": "did you mean 'system'?",
    "system_packages": "did you mean 'system'?",
    "image": "write 'base: {image: …}'",
    "from": "write 'base: {image: …}'",
    "debian": "write 'base: debian:12'",
    "environment": "did you mean 'env'?",
    "data": "did you mean 'inputs'?",
    "memory": "write it under resources",
    "cpus": "write it under resources",
    "shm": "write it under resources",
    "timeout": "write it under resources",
    "threads": "write it under determinism",
    "level": "did you mean 'determinism'?",
    "exclude": "write it under source",
    "include": "write it under source",
    "gpu": "`reprobox run --gpu` gives a run the GPU",
}


MoreProblems = Callable[[Mapping[str, object]], Iterable[tuple[str, str, str]]]
"""Takes the values that could be read; returns keys with messages and hints."""


def load_spec(path: Path) -> Spec:
    """Read a spec file. Raises SpecError with every problem found, UsageError when there is no such file."""
    return read_spec(path).spec


def read_spec(path: Path, find_more: MoreProblems | None = None) -> LoadedSpec:
    """Read a spec file and keep the positions of its keys, so that later problems can point at them.

    ``find_more`` is asked where something is wrong already, so that whoever asks it later anyway reports all at once.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        hint = "`reprobox init` writes one, or name another file"
        raise UsageError(f"there is no spec at {path}", hint=hint) from exc
    except IsADirectoryError as exc:
        raise UsageError(f"{path} is a folder", hint=f"name the spec in it: {path / 'spec.yaml'}") from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    return parse_positions(decode_text(data, str(path)), str(path), path.parent, find_more)


def parse_spec(text: str, file: str, project: Path | None) -> Spec:
    """Read a spec from text; paths are looked up in ``project``, or only by name when it is ``None``."""
    return parse_positions(text, file, project).spec


def parse_positions(text: str, file: str, project: Path | None, find_more: MoreProblems | None = None) -> LoadedSpec:
    """Read a spec from text and keep the positions of its keys."""
    problems: list[Problem] = []
    try:
        top = Value(parse_nodes(text, file, problems), "", file, problems, Position(1, 1))
    except SpecError as exc:
        raise SpecError((*problems, *exc.problems)) from exc
    readers = _readers(project)
    parts = read_fields(top, readers, _ELSEWHERE)
    packages = parts.pop("packages", None)
    parts.update(packages if isinstance(packages, dict) else {})
    meant = " ".join(hint_unknown(key, readers, _ELSEWHERE) for key in top.entries() if key not in readers)
    check_relations(top, parts, project, meant)
    if problems and find_more:
        _report_more(top, find_more(_leave_out_python(parts, problems, meant)))
    if problems:
        raise SpecError(tuple(problems))
    return LoadedSpec(Spec(**parts), file, collect_positions(top))  # type: ignore[arg-type]


def _leave_out_python(parts: Mapping[str, object], problems: Iterable[Problem], meant: str) -> dict[str, object]:
    """Fill in Python, or leave it out where nobody can tell it: nothing is to follow from what is wrong already."""
    wrong = {problem.key.partition(".")[0] for problem in problems}
    unknown = "python" in wrong or "'python'" in meant or ("base" in wrong and "python" not in parts)
    known = {"python": Spec.python, **parts}
    return {key: value for key, value in known.items() if key != "python" or not unknown}


def _report_more(top: Value, found: Iterable[tuple[str, str, str]]) -> None:
    """Report what was found about values of the spec, at their places."""
    for key, message, hint in found:
        name, _, entry = key.partition(".")
        value = top.entries()[name]
        (value.entries()[entry] if entry else value).report(message, hint)


def _readers(project: Path | None) -> dict[str, Reader[object]]:
    return {
        "reprobox": settings.read_version_one,
        "name": settings.read_name,
        "seed": settings.read_seed,
        "python": settings.read_python,
        "base": partial(settings.read_base, project=project),
        "frameworks": partial(read_table, read_entry=read_framework),
        "packages": partial(read_packages, project=project),
        "indexes": partial(read_list, read_item=read_index),
        "system": partial(read_list, read_item=read_system_package),
        "run": partial(read_list, read_item=read_run_step),
        "cuda": read_cuda,
        "cudnn": read_cudnn,
        "compat": partial(read_table, read_entry=read_built_for),
        "determinism": settings.read_determinism,
        "source": settings.read_source,
        "env": partial(read_table, read_entry=read_variable),
        "command": read_command,
        "stages": read_stages,
        "inputs": partial(read_table, read_entry=partial(settings.read_input, project=project)),
        "outputs": partial(read_list, read_item=read_output),
        "network": settings.read_network,
        "resources": settings.read_resources,
    }
