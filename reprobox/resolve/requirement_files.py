"""Requirements from a spec or a file of the project: requirements.txt, pyproject.toml or uv.lock."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from reprobox.errors import LockError
from reprobox.uv import PythonConfig, clean_message, run_uv

_DEEP = 10
"""Files that include files: deeper than this is a circle."""
_LINE_START = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_IN_QUOTES = re.compile(r"[\"']([A-Za-z0-9][A-Za-z0-9._-]*)")


def check_requirements(lines: Sequence[str], where: str = "packages") -> tuple[str, ...]:
    """Return the requirements in one form; raises LockError for what is not a name with versions."""
    return tuple(_check(line, where) for line in lines)


def read_requirement_file(path: Path, config: PythonConfig) -> tuple[str, ...]:
    """Read the requirements of a file, by what kind of file it is.

    Hashes and index options in a requirements.txt are left out: the lock has its own hashes, and indexes belong into
    the spec. Raises LockError naming the file and the line.
    """
    try:
        if path.name == "uv.lock":
            return _export_uv_lock(path, config)
        if path.suffix == ".toml":
            return _read_pyproject(path)
        return tuple(_read_requirements(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise LockError(f"{path}: cannot be read: {exc}", hint="correct the path in the spec's `requirements`") from exc


def read_requirement_text(path: Path) -> str:
    """Return the text of a requirement file and of every file it includes: what decides whether a lock is stale."""
    try:
        if path.suffix != ".txt":
            return path.read_text(encoding="utf-8-sig")
        return "\n".join(text for _, text in _walk_includes(path, 0))
    except (OSError, UnicodeDecodeError) as exc:
        raise LockError(f"{path}: cannot be read: {exc}", hint="correct the path in the spec's `requirements`") from exc


def find_requirement(path: Path, name: str) -> str:
    """Say where a requirement file, or one that it includes, names a package first: "file:line"; empty: nowhere."""
    try:
        files = list(_walk_includes(path, 0)) if path.suffix == ".txt" else [(path, read_requirement_text(path))]
    except (LockError, OSError, UnicodeDecodeError):
        return ""
    pattern = _LINE_START if path.suffix == ".txt" else _IN_QUOTES
    for file, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            if any(canonicalize_name(word) == canonicalize_name(name) for word in pattern.findall(line)):
                return f"{file}:{number}"
    return ""


def _check(line: str, where: str) -> str:
    try:
        requirement = Requirement(line)
    except InvalidRequirement as exc:
        reason = str(exc).splitlines()[0]
        raise LockError(
            f"{where}: {line!r} is not a requirement: {reason}", hint='write it like "numpy>=2,<3"'
        ) from exc
    if requirement.url:
        raise LockError(
            f"{where}: {requirement.name} comes from a URL or a path, which cannot be locked",
            hint="put its wheel into a find-links folder and name that under `indexes`",
        )
    return str(requirement)


def _walk_includes(path: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """Yield a requirements.txt and the ones it includes, each with its text."""
    if depth > _DEEP:
        raise LockError(f"{path}: requirement files include each other in a circle")
    text = path.read_text(encoding="utf-8-sig")
    yield path, text
    for match in re.finditer(r"^\s*(?:-r|--requirement)[ =]*(\S+)", text, re.MULTILINE):
        yield from _walk_includes(path.parent / match[1], depth + 1)


def _read_requirements(path: Path) -> list[str]:
    return [line for file, text in _walk_includes(path, 0) for line in _parse_requirements(file, text)]


def _parse_requirements(path: Path, text: str) -> Iterator[str]:
    for number, raw in _join_continued(text):
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if line.startswith(("-c", "--constraint", "-e", "--editable")):
            raise LockError(
                f"{path}:{number}: {line.split()[0]} is not supported here",
                hint="write the versions into the requirements; the project's own code is in the image anyway",
            )
        if line and not line.startswith("-"):
            yield _check(re.split(r"\s--hash[= ]", line)[0].strip(), f"{path}:{number}")


def _join_continued(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line with the number of its first line."""
    start, whole = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start if whole else number
        whole += line.removesuffix("\\") + " "
        if not line.endswith("\\"):
            yield start, whole
            whole = ""
    if whole:
        yield start, whole


def _read_pyproject(path: Path) -> tuple[str, ...]:
    try:
        project: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("project")
    except tomllib.TOMLDecodeError as exc:
        raise LockError(f"{path}: not readable TOML: {exc}") from exc
    if not isinstance(project, dict) or not isinstance(project.get("dependencies"), list):
        raise LockError(
            f"{path}: there is no list [project] dependencies in it", hint="list the requirements there, or in the spec"
        )
    return check_requirements([str(line) for line in project["dependencies"]], str(path))


def _export_uv_lock(path: Path, config: PythonConfig) -> tuple[str, ...]:
    arguments = ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate"]
    done = run_uv([*arguments, "--format", "requirements-txt", "--quiet", "--color", "never"], config, path.parent)
    if done.code != 0:
        raise LockError(f"{path}: uv cannot read it: {clean_message(done.stderr)}", hint="run `uv lock` there")
    lines = [line.strip() for line in done.stdout.splitlines()]
    return check_requirements([line for line in lines if line and not line.startswith(("#", "-"))], str(path))
