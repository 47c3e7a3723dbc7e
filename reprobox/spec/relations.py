"""What must hold between a spec's keys, each of which is right by itself."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from reprobox.pins import pinned_variables
from reprobox.spec import settings
from reprobox.spec.backends import explain_seed, mentioned_backends
from reprobox.spec.model import SAFE_SEED_MAX, Base, Determinism, Level
from reprobox.spec.packages import check_duplicates, check_sources
from reprobox.spec.values import Value
from reprobox.spec.yaml_nodes import MapNode


def check_relations(top: Value, parts: dict[str, object], project: Path | None, meant: str) -> None:
    """Report every contradiction, and fill in what the base and Python decide for each other.

    ``parts`` are the values read so far; ``meant`` holds, in quotes, the keys that unknown ones were meant to be.
    """
    _check_required(top, meant)
    _check_duplicate_items(top)
    _check_python(top, parts)
    _check_seed(top, parts, project)
    _check_mounts(top)
    _check_pins(top, parts)


def _check_required(top: Value, meant: str) -> None:
    """Report what every spec must say, at the top of the file."""
    assert isinstance(top.node, MapNode)
    keys = top.node.items
    required = {
        "reprobox": "add 'reprobox: 1' as the first line",
        "name": "add 'name: …', the name of the image",
        "seed": "add 'seed: …', an integer such as 32",
    }
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
    check_sources(entries.get("frameworks"), entries.get("packages"))
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
    """Report a seed that a listed backend would refuse or shorten."""
    seed = parts.get("seed")
    if not isinstance(seed, int) or 1 <= seed <= SAFE_SEED_MAX:
        return
    frameworks, packages, requirements = (parts.get(key) for key in ("frameworks", "packages", "requirements"))
    names = set(frameworks) if isinstance(frameworks, dict) else set()
    names |= {_name_of(package) for package in packages} if isinstance(packages, tuple) else set()
    if project is not None and isinstance(requirements, str):
        names |= mentioned_backends(_read_quietly(project / requirements))
    if found := explain_seed(names, seed):
        top.entries()["seed"].report(*found)


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


def _check_pins(top: Value, parts: dict[str, object]) -> None:
    """Report variables of the spec's own that would undo what holds the libraries to one instruction set."""
    determinism, entries = parts.get("determinism"), top.entries()
    if not isinstance(determinism, Determinism) or "env" not in entries:
        return
    if determinism.level is not Level.PORTABLE and determinism.cpu is None:
        return
    for name, entry in entries["env"].entries().items():
        if name in pinned_variables():
            entry.report_key("is a variable that determinism's cpu sets", "remove the line, or choose another level")
