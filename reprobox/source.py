"""Find the project files that enter the image."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from reprobox.errors import BuildError
from reprobox.files import UNFINISHED
from reprobox.plan import SourceFile
from reprobox.source_rules import DockerRules, GitRules, parse_docker_rules, parse_git_rules
from reprobox.spec.model import Spec

DECLARED_FILE = "report.yaml"
"""What a person says for the report: beside the spec, and no part of the source."""
REPORT_FOLDER = "reprobox-report"
"""Where a project's report is, beside its spec; no part of the source either."""
OWN_IGNORE_FILE = ".reproboxignore"
_DOCKER_IGNORE_FILE = ".dockerignore"
IGNORE_FILES = (".gitignore", _DOCKER_IGNORE_FILE, OWN_IGNORE_FILE)
_NEVER_SOURCE = (
    ".git",  # a work tree beside another repository has a file of that name
    ".hg/",
    ".svn/",
    ".venv/",
)
"""What is never source, and is somebody's work."""
_BY_PRODUCTS = (
    ".reprobox/",
    "__pycache__/",
    "*.pyc",
    ".ipynb_checkpoints/",
    ".DS_Store",
    f"*{UNFINISHED}",
    # What is made of an image is no part of it.
    "*.reprobox",
    f"/{REPORT_FOLDER}/",
)
ALWAYS_IGNORED = (*_NEVER_SOURCE, *_BY_PRODUCTS)

NEVER = "never part of the source"
EXCLUDED = "source.exclude names it"
IGNORED = "an ignore file names it"
NOT_INCLUDED = "source.include does not name it"

_TOP = PurePosixPath()
_Rules = tuple[GitRules | DockerRules, ...]
"""What speaks of the files of a folder, the stronger the later."""


class _Fate(Enum):
    ENTERS = auto()
    HIDDEN = auto()
    """A folder that .dockerignore leaves out, and of which it may bring something back."""
    LEFT_OUT = auto()


def list_source(project: Path, spec: Spec, *, leave_out: Sequence[str] = ()) -> tuple[SourceFile, ...]:
    """Return every source file of ``project``, sorted by path, with its content's hash.

    A file enters when ``source.include`` names it and neither ``source.exclude``, an ignore file nor the built-in
    list does; ``leave_out`` holds further paths (the spec, its lock), and declared inputs are never source.
    Raises ``BuildError`` for what an image cannot hold: sockets, devices, links that leave the project.
    """
    found = [_describe(project, path) for path, why in _walk(project, spec, leave_out) if not why]
    return tuple(sorted(found, key=lambda file: file.path.encode()))


def list_left_out(project: Path, spec: Spec, *, leave_out: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return what is beside the source and does not enter, with the reason; of a folder, the folder alone.

    Not what programs make by the way, as bytecode, nor the paths in ``leave_out`` and the declared inputs.
    """
    made = parse_git_rules(_BY_PRODUCTS, _TOP)
    found = []
    for path, why in _walk(project, spec, leave_out):
        is_folder = bool(why) and (project / path).is_dir() and not (project / path).is_symlink()
        if why and not made.decide(path, is_folder):
            found.append((f"{path}/" if is_folder else str(path), why))
    return tuple(sorted(found))


def _walk(project: Path, spec: Spec, leave_out: Sequence[str]) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the project's paths, folder by folder, however deep, and why one stays out; empty for what enters."""
    include = GitIgnoreSpec.from_lines(spec.source.include)
    named = (*leave_out, *(entry.path for entry in spec.inputs.values()))
    left_out = frozenset(posixpath.normpath(path) for path in named)
    never = parse_git_rules((*ALWAYS_IGNORED, *spec.source.exclude), _TOP)
    built_in = parse_git_rules(ALWAYS_IGNORED, _TOP)
    waiting: list[tuple[PurePosixPath, _Rules, bool]] = [(_TOP, (), False)]
    while waiting:
        folder, rules, hidden = waiting.pop()
        rules = (*rules, *_read_rules(project, folder))
        for entry in _list_folder(project, folder):
            path = folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if str(path) in left_out:
                continue
            if never.decide(path, is_folder):
                yield path, NEVER if built_in.decide(path, is_folder) else EXCLUDED
                continue
            fate = _decide_fate(path, is_folder, rules, hidden)
            if is_folder and fate is not _Fate.LEFT_OUT:
                waiting.append((path, rules, fate is _Fate.HIDDEN))
            elif fate is not _Fate.ENTERS:
                yield path, IGNORED
            else:
                yield path, "" if include.match_file(str(path)) else NOT_INCLUDED


def _list_folder(project: Path, folder: PurePosixPath) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(project / folder), key=lambda entry: entry.name)
    except OSError as exc:
        raise BuildError(
            f"cannot list {folder}: {exc.strerror}", hint="make it readable or exclude it in source"
        ) from exc


def _read_rules(project: Path, folder: PurePosixPath) -> Iterator[GitRules | DockerRules]:
    for name in IGNORE_FILES:
        # Docker reads its ignore file at the top of a context only.
        if name == _DOCKER_IGNORE_FILE and folder != _TOP:
            continue
        try:
            # Editors on Windows put a mark before the first line.
            lines = (project / folder / name).read_text("utf-8-sig", errors="replace").splitlines()
        except OSError:
            continue
        yield parse_docker_rules(lines) if name == _DOCKER_IGNORE_FILE else parse_git_rules(lines, folder)


def _decide_fate(path: PurePosixPath, is_folder: bool, rules: _Rules, hidden: bool) -> _Fate:
    """Let the last pattern that speaks win.

    Git's rules bring nothing back in a folder that is left out; Docker's do, but not where git's leave out the folder.
    """
    ignored, by_git, closed, below = hidden, False, hidden, False
    for rule in rules:
        decision = rule.decide(path, is_folder)
        if isinstance(rule, DockerRules):
            below = is_folder and rule.may_bring_back_below(path)
            closed = closed and decision is not False
        elif decision is not None:
            by_git = decision
        if decision is not None and (decision or not closed):
            ignored = decision
    if not ignored:
        return _Fate.ENTERS
    return _Fate.HIDDEN if below and not by_git else _Fate.LEFT_OUT


def _describe(project: Path, path: PurePosixPath) -> SourceFile:
    name = str(path)
    if not name.isprintable() or "\\" in name:
        raise BuildError(
            f"source file {name!r}: its name has characters an image cannot carry safely", hint="rename it"
        )
    full = project / path
    try:
        status = full.lstat()
        if stat.S_ISLNK(status.st_mode):
            return _describe_link(project, path)
        if not stat.S_ISREG(status.st_mode):
            raise BuildError(f"source file {name}: is neither a file nor a link", hint="exclude it in source")
        with full.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise BuildError(
            f"source file {name}: {exc.strerror}", hint="make it readable or exclude it in source"
        ) from exc
    return SourceFile(name, bool(status.st_mode & stat.S_IXUSR), digest, status.st_size)


def _describe_link(project: Path, path: PurePosixPath) -> SourceFile:
    target = str((project / path).readlink())
    landing = PurePosixPath(os.path.normpath(path.parent / target))
    if landing.is_absolute() or landing.parts[:1] == ("..",):
        raise BuildError(
            f"source link {path}: points to {target}, outside the project",
            hint="copy the file in, declare it under inputs, or exclude it in source",
        )
    return SourceFile(str(path), False, hashlib.sha256(target.encode()).hexdigest(), 0, link=target)
