"""Readers of paths and patterns, none of which may leave the project."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from reprobox.spec.values import CONTROL, Value, read_text, shorten

REQUIREMENT_NAMES = (".txt", ".in", "pyproject.toml", "uv.lock")


def read_path(value: Value, project: Path | None, what: str) -> str | None:
    """Return a normalised path relative to the project that neither by name nor by a symbolic link leaves it."""
    text = read_text(value, f"the path of {what}")
    if text is None:
        return None
    path = _check_relative(value, text, "the project")
    if path == ".":
        value.report(f"{shorten(text)} is the whole project", f"name {what} inside it")
        return None
    if path is not None and project is not None and not _stays_inside(project, path):
        value.report(f"{shorten(text)} is a link that leaves the project", "copy what it points at into the project")
        return None
    return path


def read_file(value: Value, project: Path | None, what: str) -> str | None:
    """Return the path of a file that is there (not looked at without a project)."""
    path = read_path(value, project, what)
    if path is not None and (bad := re.search("[\"'`$]", path)):
        value.report(f"{shorten(path)} contains {bad.group()}, which does not fit into a Dockerfile", "rename the file")
        return None
    if path is None or project is None:
        return path
    try:
        if (project / path).is_file():
            return path
        found = "is not a file" if (project / path).exists() else "does not exist"
    except OSError as exc:
        found = f"cannot be looked at: {exc.strerror}"
    value.report(f"{shorten(path)} {found}", f"paths count from the spec's folder, {project}")
    return None


def read_requirements(value: Value, project: Path | None) -> str | None:
    """Return the path of a requirements file, a pyproject.toml or a uv.lock."""
    path = read_file(value, project, "a requirements file")
    if path is None or path.endswith(REQUIREMENT_NAMES[:2]) or posixpath.basename(path) in REQUIREMENT_NAMES[2:]:
        return path
    value.report(
        f"{shorten(path)} is no kind of requirements file", "use a .txt or .in file, pyproject.toml or uv.lock"
    )
    return None


def read_pattern(value: Value) -> str | None:
    """Return a pattern over the project's files, written as in an ignore file."""
    text = read_text(value, "a pattern such as src/** or *.py")
    if text is None:
        return None
    if text.startswith("!"):
        value.report("a pattern cannot be negated", "use include for what to keep and exclude for what to drop")
    elif text.startswith("#"):
        value.report(f"{shorten(text)} would be a comment in an ignore file", "name the files by another pattern")
    elif (path := _check_relative(value, text, "the project")) == ".":
        value.report(f"{shorten(text)} matches nothing", "write ** for the whole project")
    elif path is not None and _check_pattern(value, text):
        return text.removeprefix("./")
    return None


def _check_pattern(value: Value, text: str) -> bool:
    from reprobox.source_rules import is_git_pattern  # late: a library that most specs do without

    if not set("*?[") & set(text) or is_git_pattern(text):
        return True
    value.report(f"{shorten(text)} is not a pattern", "write a set of characters as [abc] or [a-z]")
    return False


_MOST_FOLDERS = 32
"""Above an output: a pattern of thousands would take minutes to set against paths as deep."""


def read_output(value: Value) -> str | None:
    """Return a path or pattern below /output."""
    text = read_text(value, "a path below /output")
    if text is None:
        return None
    if text == "/output" or text.startswith("/output/"):
        inside = text.removeprefix("/output").lstrip("/") or "**"
        value.report(f"{shorten(text)} is absolute", f"paths count from /output: write {inside}")
        return None
    path = _check_relative(value, text, "/output")
    if path is None or not _check_pattern(value, path):
        return None
    if path.count("/") >= _MOST_FOLDERS:
        value.report(f"{shorten(text)} is below more than {_MOST_FOLDERS} folders", "write ** for some of them")
        return None
    return "**" if path == "." else path


def read_input_name(value: Value, name: str) -> str | None:
    """Return the normalised name of an input: where it is mounted below /input."""
    return _check_relative(value, name, "/input", at_key=True)


def _check_relative(value: Value, text: str, root: str, *, at_key: bool = False) -> str | None:
    report = value.report_key if at_key else value.report
    path = posixpath.normpath(text)
    if text.startswith(("/", "~")) or text[1:3] in (":\\", ":/"):
        report(f"{shorten(text)} is absolute", f"write a path relative to {root}")
    elif at_key and (bad := CONTROL.search(text)):
        report(f"the name contains the control character U+{ord(bad.group()):04X}", "rename it")
    elif at_key and ":" in text:
        report(f"{shorten(text)} contains a colon, which a mount cannot have in its path", "rename it")
    elif "\\" in text:
        report(f"{shorten(text)} contains a backslash", "separate folders with /")
    elif path == ".." or path.startswith("../"):
        report(f"{shorten(text)} leaves {root}", f"write a path inside {root}")
    else:
        return path
    return None


def _stays_inside(project: Path, path: str) -> bool:
    try:
        return (project / path).resolve().is_relative_to(project.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False
