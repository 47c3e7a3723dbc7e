"""YAML text -> Spec: reads every key, then checks what holds between keys, and reports everything at once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from reprobox.errors import Problem, SpecError, UsageError
from reprobox.spec import settings
from reprobox.spec.backends import mentioned_backends, narrow_backends
from reprobox.spec.commands import read_command, read_run_step, read_stages
from reprobox.spec.environment import read_variable
from reprobox.spec.model import SAFE_SEED_MAX, Base, Spec
from reprobox.spec.packages import (
    check_duplicates,
    read_cuda,
    read_cudnn,
    read_framework,
    read_index,
    read_packages,
    read_system_package,
)
from reprobox.spec.paths import read_output
from reprobox.spec.positions import LoadedSpec, collect_positions
from reprobox.spec.values import Reader, Value, hint_unknown, read_fields, read_list, read_table
from reprobox.spec.yaml_nodes import MAX_BYTES, MapNode, Position, decode_text, parse_nodes

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


def load_spec(path: Path) -> Spec:
    """Read a spec file. Raises SpecError with every problem found, UsageError when there is no such file."""
    return read_spec(path).spec


def read_spec(path: Path) -> LoadedSpec:
    """Read a spec file and keep the positions of its keys, so that later problems can point at them."""
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
    return parse_positions(decode_text(data, str(path)), str(path), path.parent)


def parse_spec(text: str, file: str, project: Path | None) -> Spec:
    """Read a spec from text; paths are looked up in ``project``, or only by name when it is ``None``."""
    return parse_positions(text, file, project).spec


def parse_positions(text: str, file: str, project: Path | None) -> LoadedSpec:
    """Read a spec from text and keep the positions of its keys."""
    problems: list[Problem] = []
    top = Value(parse_nodes(text, file, problems), "", file, problems, Position(1, 1))
    readers = _readers(project)
    parts = read_fields(top, readers, _ELSEWHERE)
    packages = parts.pop("packages", None)
    parts.update(packages if isinstance(packages, dict) else {})
    _check_required(top, readers)
    _check_duplicate_items(top)
    _check_python(top, parts)
    _check_seed(top, parts, project)
    _check_mounts(top)
    if problems:
        raise SpecError(tuple(problems))
    return LoadedSpec(Spec(**parts), file, collect_positions(top))  # type: ignore[arg-type]


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


def _check_required(top: Value, readers: Iterable[str]) -> None:
    """Report what every spec must say, at the top of the file; not what an unknown key was meant to be."""
    assert isinstance(top.node, MapNode)
    keys = top.node.items
    required = {
        "reprobox": "add 'reprobox: 1' as the first line",
        "name": "add 'name: …', the name of the image",
        "seed": "add 'seed: …', an integer such as 32",
    }
    meant = " ".join(hint_unknown(key, readers, _ELSEWHERE) for key in keys if key not in readers)
    for key, hint in required.items():
        if key not in keys and f"'{key}'" not in meant:
            top.report_missing(key, hint)
    if "command" not in keys and "stages" not in keys and "'command'" not in meant:
        top.report_missing("command", "add 'command: python train.py', or stages")
    if "command" in keys and "stages" in keys:
        later = max(("command", "stages"), key=lambda key: top.node.keys[key])  # type: ignore[union-attr]
        top.entries()[later].report_key("command and stages are both given", "keep one of the two")
    if "cudnn" in keys and "cuda" not in keys:
        top.entries()["cudnn"].report_key("is given without cuda", "add 'cuda: …' with the version it goes with")


def _check_duplicate_items(top: Value) -> None:
    entries = top.entries()
    check_duplicates(entries.get("frameworks"), entries.get("packages"))
    lists = [entries[key] for key in ("indexes", "system", "outputs") if key in entries]
    for stage in entries["stages"].entries().values() if "stages" in entries else ():
        lists.extend(value for key, value in stage.entries().items() if key == "outputs")
    for value in lists:
        _check_unique(value)


def _check_unique(value: Value) -> None:
    seen: dict[str, int] = {}
    for item in value.items():
        text = getattr(item.node, "text", "")
        if text in seen:
            item.report(f"is listed twice; the first is on line {seen[text]}", "remove one of the two")
        elif text:
            seen[text] = item.node.position.line


def _check_python(top: Value, parts: dict[str, object]) -> None:
    """Let the Debian release and Python decide each other, and report where they cannot go together."""
    entries = top.entries()
    base, python = parts.get("base"), parts.get("python")
    if ("base" in entries and base is None) or ("python" in entries and python is None):
        return
    pythons = settings.DEBIAN
    if isinstance(base, Base) and base.debian is None:
        return
    if isinstance(base, Base) and base.debian is not None:
        if python not in (None, pythons[base.debian]):
            hint = f"write 'python: {pythons[base.debian]}', or leave one of the two out"
            entries["python"].report(f"Debian {base.debian} has Python {pythons[base.debian]}, not {python}", hint)
        parts["python"] = pythons[base.debian]
        return
    release = next((release for release, brought in pythons.items() if brought == (python or "3.11")), None)
    if release is None:
        hint = f"use {', '.join(pythons.values())}, or a base that has it: 'base: {{image: python:{python}-slim}}'"
        entries["python"].report(f"no Debian release has Python {python}", hint)
        return
    parts["base"] = Base(debian=release)


def _check_seed(top: Value, parts: dict[str, object], project: Path | None) -> None:
    """Report a large seed that a listed backend would refuse or shorten."""
    seed = parts.get("seed")
    if not isinstance(seed, int) or seed <= SAFE_SEED_MAX:
        return
    frameworks, packages, requirements = (parts.get(key) for key in ("frameworks", "packages", "requirements"))
    names = set(frameworks) if isinstance(frameworks, dict) else set()
    names |= {_name_of(package) for package in packages} if isinstance(packages, tuple) else set()
    if project is not None and isinstance(requirements, str):
        names |= mentioned_backends(_read_quietly(project / requirements))
    narrow = narrow_backends(names, seed)
    if narrow:
        message = f"{seed} is too large for {', '.join(narrow)}, which would refuse or shorten it"
        top.entries()["seed"].report(message, f"a seed from 1 to {SAFE_SEED_MAX} is safe for every backend")


def _name_of(requirement: str) -> str:
    try:
        return Requirement(requirement).name
    except InvalidRequirement:
        return ""


def _read_quietly(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _check_mounts(top: Value) -> None:
    """Report an input that would be mounted inside another."""
    inputs = top.entries().get("inputs")
    entries = inputs.entries() if inputs else {}
    for name, entry in entries.items():
        parent = next((other for other in entries if name.startswith(f"{other}/")), None)
        if parent is not None:
            entry.report_key(f"would be mounted inside the input '{parent}'", "give one of the two another name")
