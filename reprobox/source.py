"""Find the project files that enter the image."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from reprobox.errors import BuildError
from reprobox.files import UNFINISHED
from reprobox.plan import SourceFile
from reprobox.spec.model import Spec

DECLARED_FILE = "report.yaml"
"""What a person says for the report: beside the spec, and no part of the source."""
REPORT_FOLDER = "reprobox-report"
"""Where a project's report is, beside its spec; no part of the source either."""
OWN_IGNORE_FILE = ".reproboxignore"
IGNORE_FILES = (".gitignore", ".dockerignore", OWN_IGNORE_FILE)
ALWAYS_IGNORED = (
    ".git/",
    ".hg/",
    ".svn/",
    ".reprobox/",
    "__pycache__/",
    "*.pyc",
    ".ipynb_checkpoints/",
    ".venv/",
    ".DS_Store",
    f"*{UNFINISHED}",
    # What is made of an image is no part of it.
    "*.reprobox",
    f"/{REPORT_FOLDER}/",
)


@dataclass(frozen=True)
class _Rules:
    """The patterns of one ignore file, relative to the folder that holds it."""

    folder: PurePosixPath
    spec: GitIgnoreSpec

    def decide(self, path: PurePosixPath, is_folder: bool) -> bool | None:
        """Whether ``path`` is ignored, or ``None`` when no pattern speaks of it."""
        relative = str(path.relative_to(self.folder)) + ("/" if is_folder else "")
        return self.spec.check_file(relative).include


def list_source(project: Path, spec: Spec, *, leave_out: Sequence[str] = ()) -> tuple[SourceFile, ...]:
    """Return every source file of ``project``, sorted by path, with its content's hash.

    A file enters when ``source.include`` names it and neither ``source.exclude``, an ignore file nor the built-in
    list does; ``leave_out`` holds further paths (the spec, its lock), and declared inputs are never source.
    Raises ``BuildError`` for what an image cannot hold: sockets, devices, links that leave the project.
    """
    include = GitIgnoreSpec.from_lines(spec.source.include)
    data = tuple(entry.path for entry in spec.inputs.values())
    exclude = GitIgnoreSpec.from_lines(
        [*ALWAYS_IGNORED, *spec.source.exclude, *(f"/{path.strip('/')}" for path in (*leave_out, *data))]
    )
    found = [
        _describe(project, path)
        for path in _walk(project, PurePosixPath(), (_Rules(PurePosixPath(), exclude),))
        if include.match_file(str(path))
    ]
    return tuple(sorted(found, key=lambda file: file.path.encode()))


def _walk(project: Path, folder: PurePosixPath, rules: tuple[_Rules, ...]) -> Iterator[PurePosixPath]:
    rules = (*rules, *_read_rules(project, folder))
    try:
        entries = sorted(os.scandir(project / folder), key=lambda entry: entry.name)
    except OSError as exc:
        raise BuildError(
            f"cannot list {folder}: {exc.strerror}", hint="make it readable or exclude it in source"
        ) from exc
    for entry in entries:
        path = folder / entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if _is_ignored(path, is_folder, rules):
            continue
        if is_folder:
            yield from _walk(project, path, rules)
        else:
            yield path


def _read_rules(project: Path, folder: PurePosixPath) -> Iterator[_Rules]:
    for name in IGNORE_FILES:
        # Docker reads its ignore file at the top of a context only.
        if name == ".dockerignore" and folder != PurePosixPath():
            continue
        try:
            lines = (project / folder / name).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        yield _Rules(folder, GitIgnoreSpec.from_lines(lines))


def _is_ignored(path: PurePosixPath, is_folder: bool, rules: tuple[_Rules, ...]) -> bool:
    """Git's rule: the last pattern that speaks wins; but what the spec excludes nothing brings back."""
    built_in, *from_files = rules
    if built_in.decide(path, is_folder):
        return True
    ignored = False
    for rule in from_files:
        decision = rule.decide(path, is_folder)
        ignored = ignored if decision is None else decision
    return ignored


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
