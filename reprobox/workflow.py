"""One short function per command: the main path, top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reprobox import __version__
from reprobox.checks import check_locked_seed, find_unpublished, warn_of_gaps
from reprobox.errors import LockError, SpecError, UsageError
from reprobox.files import write_atomic
from reprobox.lock import Lock, describe_changes, lock_digest
from reprobox.lock_text import format_lock
from reprobox.outcomes import BuildOutcome, DoctorOutcome, LockOutcome, RunOutcome
from reprobox.pins import list_promises
from reprobox.plan import Plan, StagePlan, make_plan
from reprobox.project import Project, list_project_source, load_lock, read_lock_if_there, read_project_requirements
from reprobox.reporting import Reporter
from reprobox.settings import Settings
from reprobox.spec.load import load_spec, read_spec
from reprobox.spec.model import Determinism, Level
from reprobox.spec.positions import LoadedSpec
from reprobox.streams import write_bytes

if TYPE_CHECKING:
    from reprobox.gpu_checks import GpuChecks
    from reprobox.places import Place
    from reprobox.run import RunRequest
    from reprobox.sweep import SeedRun
    from reprobox.sweep_report import SweepOutcome
    from reprobox.verification import Row, Verification, VerifyOptions


def init_project(folder: Path, *, force: bool) -> Path:
    """Propose a spec for a project and write it there."""
    from reprobox.scaffold import propose_spec
    from reprobox.spec.schema import SCHEMA_PATH, format_schema

    path = folder / "spec.yaml"
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name the project's folder")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="say --force to replace it")
    text = propose_spec(folder)
    # Where the spec's first line says that editors find it; first, so that no spec stands there when this fails.
    write_atomic(folder / SCHEMA_PATH, format_schema())
    write_atomic(path, text)
    return path


def lock_project(project: Project, settings: Settings, *, upgrade: bool = False) -> LockOutcome:
    """Resolve the spec and write the lock, if it changes."""
    from reprobox.blame import find_culprits
    from reprobox.engines.docker import connect
    from reprobox.locking import resolve_spec

    loaded = _load_possible_spec(project)
    old = read_lock_if_there(project)
    try:
        lock = resolve_spec(
            loaded.spec,
            project.folder,
            old,
            settings,
            lambda: connect(settings.environ),
            requirement_text=read_project_requirements(project, loaded.spec),
            upgrade=upgrade,
        )
    except LockError as exc:
        if problems := find_culprits(loaded, exc):
            raise SpecError(problems) from exc
        raise
    check_locked_seed(loaded, lock)
    text = format_lock(lock)
    written = old is None or format_lock(old) != text
    if written:
        write_atomic(project.lock_path, text)
    return LockOutcome(project.lock_path, lock_digest(lock), tuple(describe_changes(old, lock)), written)


def check_lock(project: Project) -> LockOutcome:
    """Raise ``LockError`` unless the lock is there and fits the spec."""
    loaded = read_spec(project.spec_path, find_unpublished)
    lock = load_lock(project, loaded.spec)
    check_locked_seed(loaded, lock)
    return LockOutcome(project.lock_path, lock_digest(lock), (), written=False)


def render_project(project: Project, settings: Settings, out: Path) -> None:
    """Write the build context, complete with every byte the build needs."""
    from reprobox.render import render_plan

    render_plan(plan_project(project, settings).plan, project.folder, out, settings)


def build_project(project: Project, settings: Settings) -> BuildOutcome:
    """Lock if there is no lock, plan, make the image, load it, check it."""
    from reprobox.engines.docker import connect
    from reprobox.places import make_image

    started = time.monotonic()
    plan = plan_project(project, settings).plan
    image, engine_id = make_image(plan, project.folder, connect(settings.environ), settings)
    return BuildOutcome(
        image_digest=image.config_digest,
        manifest_digest=image.manifest_digest,
        engine_image_id=engine_id,
        tag=plan.tag,
        layers=image.layers,
        seconds=time.monotonic() - started,
    )


def run_project(
    project: Project,
    settings: Settings,
    *,
    gpus: tuple[str, ...],
    stage: str,
    earlier: str,
    command: tuple[str, ...],
    quiet_stdout: bool,
) -> RunOutcome:
    """Bring the image up to date, check the inputs, run, keep the record."""
    from reprobox.run import run_image

    ready = prepare_run(project, settings, gpus=gpus, stage=stage, command=command)
    request = go_on_from(ready.request, earlier, settings.reporter) if stage else ready.request
    folder, record = run_image(request, ready.place.engine, _stream_output(quiet_stdout))
    return RunOutcome(folder, record, request.image)


def go_on_from(request: RunRequest, named: str, reporter: Reporter) -> RunRequest:
    """Let a stage on its own start with what the stages before it left, and say where that comes from."""
    from reprobox.earlier import EarlierRequest, describe_earlier, find_earlier_run

    inputs = {name: entry.sha256 for name, entry in request.spec.inputs.items()}
    wanted = EarlierRequest(request.plan, request.stages[0], request.image_digest, inputs, request.runs, named)
    if earlier := find_earlier_run(wanted):
        reporter.note(describe_earlier(wanted, earlier))
    return replace(request, earlier=earlier)


@dataclass(frozen=True)
class ReadyRun:
    """An image that is up to date and inputs that are checked: to be run any number of times."""

    place: Place
    request: RunRequest
    lock: Lock


def prepare_run(
    project: Project, settings: Settings, *, gpus: tuple[str, ...], stage: str = "", command: tuple[str, ...] = ()
) -> ReadyRun:
    """Bring the image up to date and check the inputs."""
    from reprobox.gpus.driver import read_driver
    from reprobox.host import read_host
    from reprobox.inputs import check_inputs
    from reprobox.places import open_place
    from reprobox.run import RunRequest

    planned = plan_project(project, settings)
    spec, plan = planned.loaded.spec, planned.plan
    stages = _choose_stages(plan, stage)
    check_inputs(spec, project.folder, planned.loaded.problem)
    place, driver = open_place(settings), read_driver()
    checks: GpuChecks | None = None
    if gpus:
        from reprobox import gpu_checks

        gpus = gpu_checks.narrow(gpus, place.engine, settings)
        checks = gpu_checks.GpuChecks(gpus, driver, place.engine, plan, settings)
        checks.check_machine()
    provided = place.provide(plan, project.folder)
    if checks:
        checks.check_kernels(provided.image)
    request = RunRequest(
        image=provided.image,
        image_digest=provided.digest,
        unproved=provided.unproved,
        plan=plan,
        spec=spec,
        project=project.folder,
        runs=project.state / "runs",
        stages=stages,
        command=command,
        gpus=gpus,
        caller=settings.caller,
        host=read_host(driver.gpus, project.folder),
        started=settings.now(),
    )
    return ReadyRun(place, request, planned.lock)


def verify_project(
    project: Project, settings: Settings, options: VerifyOptions, on_row: Callable[[Row], None]
) -> Verification:
    """Bring the image up to date, run it again and again, compare and judge; ``on_row`` sees each run as it ends."""
    from reprobox.verify import VerifyRequest, find_reference, verify_runs

    options.check()
    ready = prepare_run(project, settings, gpus=options.gpus)
    reference = find_reference(options.against, project.state) if options.against else None
    engines = (ready.place.engine, *(ready.place.connect() for _ in range(options.jobs - 1)))
    with _prepared_off(ready, project) if options.cost else nullcontext() as off:
        request = VerifyRequest(
            # Suspects at every level: at off nothing is watched unless it is asked for.
            run=replace(ready.request, trace=options.trace, environment={"REPROBOX_WATCH": "1"}),
            runs=options.runs,
            tolerance=options.tolerance,
            reference=reference,
            off=off,
            promises=list_promises(ready.request.plan.cpu, dict(ready.request.plan.versions)),
            folder=project.state / "verify",
            started=settings.now(),
            reporter=settings.reporter,
        )
        return verify_runs(request, engines, settings.now, on_row)


@contextmanager
def _prepared_off(ready: ReadyRun, project: Project) -> Iterator[RunRequest]:
    """Yield the same run at level ``off``: another small layer on the same image, under a name of its own."""
    request = ready.request
    spec = replace(request.spec, name=f"{request.spec.name}-off", determinism=Determinism(level=Level.OFF))
    plan = make_plan(spec, ready.lock, request.plan.source, dict(request.plan.versions))
    provided = ready.place.provide(plan, project.folder)
    try:
        yield replace(request, image=provided.image, image_digest=provided.digest, plan=plan, spec=spec)
    finally:
        ready.place.forget(provided.image)


def sweep_project(
    project: Project,
    settings: Settings,
    *,
    seeds: int,
    metric: str,
    jobs: int,
    gpus: tuple[str, ...],
    on_run: Callable[[SeedRun, bool], None],
) -> SweepOutcome:
    """Bring the image up to date, run the seeds that have not been run, conclude; ``on_run`` sees each run."""
    from reprobox.sweep_report import conclude_sweep
    from reprobox.sweep_runs import SweepRequest, check_level, run_sweep

    check_level(load_spec(project.spec_path))
    ready = prepare_run(project, settings, gpus=gpus)
    engines = (ready.place.engine, *(ready.place.connect() for _ in range(jobs - 1)))
    request = SweepRequest(ready.request, ready.lock, seeds, metric, project.state, settings.now, settings.reporter)
    path, record = run_sweep(request, engines, on_run)
    return conclude_sweep(path, record, seeds, metric)


def examine_machine(settings: Settings) -> DoctorOutcome:
    """Look at everything a build or a run needs of this machine."""
    from reprobox.doctor import describe_local, examine
    from reprobox.engines.docker import connect
    from reprobox.engines.local.isolation import choose_namespaces
    from reprobox.gpus.driver import read_driver
    from reprobox.gpus.toolkit import read_toolkit_version
    from reprobox.host import read_host
    from reprobox.reach import try_places

    driver = read_driver()
    findings, info = examine(
        lambda: connect(settings.environ),
        read_host(driver.gpus, settings.cache),
        driver,
        read_toolkit_version(),
        settings.cache,
        settings.environ,
    )
    local = describe_local(choose_namespaces(network=False))
    return DoctorOutcome((*findings, local, *try_places(settings, Path.cwd())), info)


@dataclass(frozen=True)
class Planned:
    """A spec with a lock that fits it, and what they come to."""

    loaded: LoadedSpec
    lock: Lock
    plan: Plan


def plan_project(project: Project, settings: Settings) -> Planned:
    """Read the spec, lock if there is no lock, and fill in every default."""
    loaded = read_spec(project.spec_path, find_unpublished)
    spec = loaded.spec
    if not project.lock_path.exists():
        settings.reporter.note(f"no lock yet: locking {project.spec_path}")
        lock_project(project, settings)
    lock = load_lock(project, spec)
    check_locked_seed(loaded, lock)
    if lock.reprobox != __version__:
        settings.reporter.warn(
            f"{project.lock_path} was made by reprobox {lock.reprobox}, this is {__version__}: the runtime inside may"
            " differ, and with it the image digest"
        )
    plan = make_plan(spec, lock, list_project_source(project, spec), _find_versions(settings))
    warn_of_gaps(plan, settings.reporter)
    return Planned(loaded, lock, plan)


def _find_versions(settings: Settings) -> dict[str, str] | None:
    """Return what is installed where that is not what the lock has."""
    if not settings.python:
        return None
    from reprobox.local_image import ask_versions

    return ask_versions(settings.python)


def _load_possible_spec(project: Project) -> LoadedSpec:
    """Read the spec and refuse combinations that were never published, before anything is asked of the network."""
    loaded = read_spec(project.spec_path, find_unpublished)
    if found := find_unpublished(vars(loaded.spec)):
        raise SpecError(tuple(loaded.problem(*one) for one in found))
    return loaded


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
