"""Requirements from a spec or a file of the project: requirements.txt, pyproject.toml or uv.lock."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from reprobox.errors import LockError
from reprobox.uv import PythonConfig, clean_message, run_uv

_MOST_FILES = 100
_LARGEST = 64 * 2**20
"""Bytes; a uv.lock can be large."""
_LINE_START = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]*(.+)")
_COMMENT = re.compile(r"(^|\s)#.*")
_IN_QUOTES = re.compile(r"[\"']([A-Za-z0-9][A-Za-z0-9._-]*)")


def check_requirements(lines: Sequence[str], where: str = "packages") -> tuple[str, ...]:
    """Return the requirements in one form; raises LockError for what is not a name with versions."""
    return tuple(_check(line, where) for line in lines)


def read_requirement_file(path: Path, root: Path, config: PythonConfig) -> tuple[str, ...]:
    """Read the requirements of a file, by what kind of file it is; what it includes lies below ``root`` too.

    Hashes and index options in a requirements.txt are left out: the lock has its own hashes, and indexes belong into
    the spec. Raises LockError naming the file and the line.
    """
    try:
        if path.name == "uv.lock":
            return _export_uv_lock(path, config)
        if path.suffix == ".toml":
            return _read_pyproject(path, root)
        return tuple(line for file, text in _walk_includes(path, root) for line in _parse_requirements(file, text))
    except (OSError, UnicodeDecodeError) as exc:
        raise _explain(path, exc) from exc


def read_requirement_text(path: Path, root: Path) -> str:
    """Return the text of a requirement file and of every file it includes: what decides whether a lock is stale.

    All lie below ``root``, the project, which may be a stranger's: nothing else is opened.
    Of the pyproject.toml beside a uv.lock it has what uv looks at there: the groups that are taken by default.
    """
    try:
        if path.name == "uv.lock":
            return _read(path, root) + _describe_groups(path.with_name("pyproject.toml"), root)
        return "\n".join(text for _, text in _read_all(path, root))
    except (OSError, UnicodeDecodeError) as exc:
        raise _explain(path, exc) from exc


def list_requirement_files(path: Path, root: Path) -> tuple[Path, ...]:
    """Return the files whose text :func:`read_requirement_text` returns, by their own places below ``root``."""
    try:
        files = [file for file, _ in _read_all(path, root)]
        pyproject = path.with_name("pyproject.toml")
        if path.name == "uv.lock" and _describe_groups(pyproject, root):
            files.append(pyproject)
    except (OSError, UnicodeDecodeError) as exc:
        raise _explain(path, exc) from exc
    return tuple(Path(os.path.normpath(file)) for file in files)


def _explain(path: Path, exc: OSError | UnicodeDecodeError) -> LockError:
    if isinstance(exc, UnicodeDecodeError):
        return LockError(f"{path}: is not UTF-8: {exc}", hint="save the file, and those that it includes, as UTF-8")
    return LockError(f"{path}: cannot be read: {exc}", hint="correct the path in the spec's `requirements`")


def _describe_groups(pyproject: Path, root: Path) -> str:
    if not pyproject.exists():
        return ""
    tool = _read_toml(pyproject, root).get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    groups = uv.get("default-groups") if isinstance(uv, dict) else None
    return "" if groups is None else f"\ndefault-groups = {groups!r}\n"


def _read_toml(path: Path, root: Path) -> dict[str, Any]:
    text = _read(path, root)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise LockError(f"{path}: not readable TOML: {exc}", hint="correct it there") from exc


def _read(path: Path, root: Path) -> str:
    """Return the text of a file of the project; a link, a pipe or a device that would lead elsewhere is refused."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise LockError(f"{path}: leaves the project", hint=f"put it below {root}, where everybody has it who has that")
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise LockError(f"{path}: is no file with requirements", hint="correct the path")
        return stream.read().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def find_requirement(path: Path, root: Path, name: str) -> str:
    """Say where a requirement file, or one that it includes, names a package first: "file:line"; empty: nowhere."""
    try:
        files = list(_read_all(path, root))
    except (LockError, OSError, UnicodeDecodeError):
        return ""
    pattern = _LINE_START if _has_lines(path) else _IN_QUOTES
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


def _has_lines(path: Path) -> bool:
    """Whether it is read as pip reads a requirements.txt, whatever it is called."""
    return path.name != "uv.lock" and path.suffix != ".toml"


def _read_all(path: Path, root: Path) -> Iterator[tuple[Path, str]]:
    return _walk_includes(path, root) if _has_lines(path) else iter([(path, _read(path, root))])


def _walk_includes(path: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield a requirements.txt and the ones it includes, each once, with its text."""
    waiting, known, size = [path], {path.resolve()}, 0
    while waiting:
        file = waiting.pop()
        text = _read(file, root)
        yield file, text
        size += len(text)
        found = [file.parent / name for name in _list_includes(text)]
        fresh = {other.resolve(): other for other in found if other.resolve() not in known}
        known |= fresh.keys()
        waiting += reversed(fresh.values())
        if len(known) > _MOST_FILES or size > _LARGEST:
            raise LockError(f"{path}: includes too many files, or too large ones", hint="put them together")


def _list_includes(text: str) -> Iterator[str]:
    for _, line in _join_continued(text):
        if match := _INCLUDE.match(_COMMENT.sub("", line).strip()):
            yield match[1].strip("\"'")


def _parse_requirements(path: Path, text: str) -> Iterator[str]:
    for number, raw in _join_continued(text):
        line = _COMMENT.sub("", raw).strip()
        if line.startswith(("-c", "--constraint", "-e", "--editable")):
            raise LockError(
                f"{path}:{number}: {line.split()[0]} is not supported here",
                hint="write the versions into the requirements; the project's own code is in the image anyway",
            )
        if line and not line.startswith("-"):
            yield _check(re.split(r"\s--hash[= ]", line)[0].strip(), f"{path}:{number}")


def _join_continued(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line with the number of its first line; as for pip, no line that is a comment goes on."""
    start, whole = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start if whole else number
        whole += line.removesuffix("\\") + " "
        if not line.endswith("\\") or line.lstrip().startswith("#"):
            yield start, whole
            whole = ""
    if whole:
        yield start, whole


def _read_pyproject(path: Path, root: Path) -> tuple[str, ...]:
    project: Any = _read_toml(path, root).get("project")
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
