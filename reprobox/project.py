"""A project's places, and what is read there before anything is made: spec, lock, source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprobox.errors import LockError
from reprobox.layers.model import LAYER_FORMAT
from reprobox.lock import Lock, stale_keys
from reprobox.lock_text import parse_lock
from reprobox.plan import SourceFile
from reprobox.source import DECLARED_FILE, list_left_out, list_source
from reprobox.spec.model import Spec


@dataclass(frozen=True)
class Project:
    """A spec and the places that go with it."""

    spec_path: Path
    folder: Path
    lock_path: Path
    state: Path
    """``.reprobox``: runs and whatever else is made here."""


def open_project(path: Path) -> Project:
    """Find the places of a spec, given by file or by folder."""
    spec_path = path / "spec.yaml" if path.is_dir() else path
    folder = spec_path.absolute().parent
    return Project(spec_path, folder, spec_path.with_suffix(".lock"), folder / ".reprobox")


def list_project_source(project: Project, spec: Spec) -> tuple[SourceFile, ...]:
    """Return the project's files that enter the image."""
    return list_source(project.folder, spec, leave_out=_name_own(project))


def list_beside_source(project: Project, spec: Spec) -> tuple[tuple[str, str], ...]:
    """Return what lies in the project and does not enter the image, with the reason."""
    return list_left_out(project.folder, spec, leave_out=_name_own(project))


def _name_own(project: Project) -> tuple[str, ...]:
    return (project.spec_path.name, project.lock_path.name, DECLARED_FILE)


def load_lock(project: Project, spec: Spec) -> Lock:
    """Read the lock; raise ``LockError`` when it is missing or does not fit the spec, naming the key."""
    lock = read_lock_if_there(project)
    if lock is None:
        raise LockError(f"{project.lock_path} is not there", hint=f"run `reprobox lock {project.spec_path}`")
    stale = stale_keys(lock, spec, read_project_requirements(project, spec))
    if stale:
        raise LockError(
            f"{project.lock_path} is stale: {', '.join(stale)} changed in {project.spec_path} since it was made",
            hint=f"run `reprobox lock {project.spec_path}` and look at what it says changed",
        )
    if lock.layer_format != LAYER_FORMAT:
        raise LockError(
            f"{project.lock_path} is for layer format {lock.layer_format}, and this reprobox writes {LAYER_FORMAT}",
            hint=f"for the image it was made for, install reprobox {lock.reprobox}; for a new one, lock again",
        )
    return lock


def read_lock_if_there(project: Project) -> Lock | None:
    """Read the lock; ``None`` where there is none."""
    try:
        text = project.lock_path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise LockError(
            f"{project.lock_path} cannot be read: {exc}", hint="restore it, or remove it and lock again"
        ) from exc
    return parse_lock(text, str(project.lock_path))


def read_project_requirements(project: Project, spec: Spec) -> str | None:
    """Return the text of the requirement file that the spec names, if it names one."""
    if spec.requirements is None:
        return None
    from reprobox.resolve.requirement_files import read_requirement_text

    return read_requirement_text(project.folder / spec.requirements, project.folder)
