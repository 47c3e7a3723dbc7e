"""One short function per command: the main path, top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reprobox import __version__
from reprobox.errors import LockError, SpecError, UsageError
from reprobox.files import write_atomic
from reprobox.layers.model import LAYER_FORMAT
from reprobox.lock import Lock, describe_changes, lock_digest, stale_keys
from reprobox.lock_text import format_lock, parse_lock
from reprobox.outcomes import BuildOutcome, DoctorOutcome, LockOutcome, RunOutcome
from reprobox.plan import Plan, StagePlan, make_plan
from reprobox.settings import Settings
from reprobox.source import list_source
from reprobox.spec.load import load_spec, read_spec
from reprobox.spec.model import Spec
from reprobox.spec.positions import LoadedSpec
from reprobox.streams import write_bytes


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


def init_project(folder: Path, *, force: bool) -> Path:
    """Propose a spec for a project and write it there."""
    from reprobox.scaffold import propose_spec
    from reprobox.spec.schema import SCHEMA_PATH, format_schema

    path = folder / "spec.yaml"
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name the project's folder")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="say --force to replace it")
    write_atomic(path, propose_spec(folder))
    # Where the spec's first line says that editors find it.
    write_atomic(folder / SCHEMA_PATH, format_schema())
    return path


def lock_project(project: Project, settings: Settings, *, upgrade: bool = False) -> LockOutcome:
    """Resolve the spec and write the lock, if it changes."""
    from reprobox.blame import find_culprits
    from reprobox.engines.docker import connect
    from reprobox.locking import resolve_spec

    loaded = _load_possible_spec(project)
    old = _read_lock_if_there(project)
    try:
        lock = resolve_spec(
            loaded.spec,
            project.folder,
            old,
            settings,
            lambda: connect(settings.environ),
            requirement_text=_requirement_text(project, loaded.spec),
            upgrade=upgrade,
        )
    except LockError as exc:
        if problems := find_culprits(loaded, exc):
            raise SpecError(problems) from exc
        raise
    text = format_lock(lock)
    written = old is None or format_lock(old) != text
    if written:
        write_atomic(project.lock_path, text)
    return LockOutcome(project.lock_path, lock_digest(lock), tuple(describe_changes(old, lock)), written)


def check_lock(project: Project) -> LockOutcome:
    """Raise ``LockError`` unless the lock is there and fits the spec."""
    lock = load_lock(project, load_spec(project.spec_path))
    return LockOutcome(project.lock_path, lock_digest(lock), (), written=False)


def render_project(project: Project, settings: Settings, out: Path) -> None:
    """Write the build context, complete with every byte the build needs."""
    from reprobox.render import render_plan

    render_plan(_plan_project(project, settings).plan, project.folder, out, settings)


def build_project(project: Project, settings: Settings) -> BuildOutcome:
    """Lock if there is no lock, plan, make the image, load it, check it."""
    from reprobox.build import build_plan
    from reprobox.engines.docker import connect

    started = time.monotonic()
    plan = _plan_project(project, settings).plan
    built = build_plan(plan, project.folder, connect(settings.environ), settings)
    return BuildOutcome(
        image_digest=built.image.config_digest,
        manifest_digest=built.image.manifest_digest,
        engine_image_id=built.engine_id,
        tag=built.tag,
        layers=built.image.layers,
        seconds=time.monotonic() - started,
    )


def run_project(
    project: Project, settings: Settings, *, gpu: bool, stage: str, command: tuple[str, ...], quiet_stdout: bool
) -> RunOutcome:
    """Bring the image up to date, check the inputs, run, keep the record."""
    from reprobox.build import build_plan
    from reprobox.engines.docker import connect
    from reprobox.host import read_host
    from reprobox.inputs import check_inputs
    from reprobox.run import RunRequest, run_image

    planned = _plan_project(project, settings)
    spec, plan = planned.loaded.spec, planned.plan
    stages = _choose_stages(plan, stage)
    check_inputs(spec, project.folder, planned.loaded.problem)
    engine = connect(settings.environ)
    built = build_plan(plan, project.folder, engine, settings)
    request = RunRequest(
        image=built.tag,
        image_digest=built.image.config_digest,
        plan=plan,
        spec=spec,
        project=project.folder,
        runs=project.state / "runs",
        stages=stages,
        command=command,
        gpu=gpu,
        caller=settings.caller,
        host=read_host(),
        started=settings.now(),
    )
    folder, record = run_image(request, engine, _stream_output(quiet_stdout))
    return RunOutcome(folder, record, built.tag)


def examine_machine(settings: Settings) -> DoctorOutcome:
    """Look at everything a build or a run needs of this machine."""
    from reprobox.doctor import examine
    from reprobox.engines.docker import connect
    from reprobox.host import read_host

    return DoctorOutcome(*examine(lambda: connect(settings.environ), read_host(), settings.cache, settings.environ))


def load_lock(project: Project, spec: Spec) -> Lock:
    """Read the lock; raise ``LockError`` when it is missing or does not fit the spec, naming the key."""
    lock = _read_lock_if_there(project)
    if lock is None:
        raise LockError(f"{project.lock_path} is not there", hint=f"run `reprobox lock {project.spec_path}`")
    stale = stale_keys(lock, spec, _requirement_text(project, spec))
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


@dataclass(frozen=True)
class _Planned:
    loaded: LoadedSpec
    plan: Plan


def _plan_project(project: Project, settings: Settings) -> _Planned:
    loaded = read_spec(project.spec_path)
    spec = loaded.spec
    if not project.lock_path.exists():
        settings.reporter.note(f"no lock yet: locking {project.spec_path}")
        lock_project(project, settings)
    lock = load_lock(project, spec)
    if lock.reprobox != __version__:
        settings.reporter.warn(
            f"{project.lock_path} was made by reprobox {lock.reprobox}, this is {__version__}: the runtime inside may"
            " differ, and with it the image digest"
        )
    source = list_source(project.folder, spec, leave_out=(project.spec_path.name, project.lock_path.name))
    return _Planned(loaded, make_plan(spec, lock, source))


def _load_possible_spec(project: Project) -> LoadedSpec:
    """Read the spec and refuse combinations that were never published, before anything is asked of the network."""
    from reprobox.resolve.compat import check_frameworks

    loaded = read_spec(project.spec_path)
    spec = loaded.spec
    found = check_frameworks(spec.frameworks, spec.python, spec.cuda, spec.cudnn)
    if found:
        raise SpecError(tuple(loaded.problem(one.key, one.message, one.hint) for one in found))
    return loaded


def _read_lock_if_there(project: Project) -> Lock | None:
    try:
        text = project.lock_path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise LockError(
            f"{project.lock_path} cannot be read: {exc}", hint="restore it, or remove it and lock again"
        ) from exc
    return parse_lock(text, str(project.lock_path))


def _requirement_text(project: Project, spec: Spec) -> str | None:
    if spec.requirements is None:
        return None
    from reprobox.resolve.requirement_files import read_requirement_text

    return read_requirement_text(project.folder / spec.requirements)


def _choose_stages(plan: Plan, name: str) -> tuple[StagePlan, ...]:
    if not name:
        return plan.stages
    chosen = tuple(stage for stage in plan.stages if stage.name == name)
    if not chosen:
        known = ", ".join(stage.name for stage in plan.stages)
        raise UsageError(f"the spec has no stage {name!r}", hint=f"it has: {known}")
    return chosen


def _stream_output(quiet_stdout: bool) -> Callable[[str, bytes], None]:
    """Return what passes the program's output on: both streams as they are, or both to stderr."""
    targets = {"stdout": sys.stderr if quiet_stdout else sys.stdout, "stderr": sys.stderr}

    def pass_on(stream: str, data: bytes) -> None:
        write_bytes(targets[stream], data)

    return pass_on
