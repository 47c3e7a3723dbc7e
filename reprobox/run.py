"""Run an image's stages, seeded and fenced in, and keep the record."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from reprobox import __version__
from reprobox.engines.base import ContainerResult, ContainerSpec, EngineInfo, Fence, Mount, Runner
from reprobox.errors import EngineError, Interrupted, ReproboxError, UsageError
from reprobox.files import remove_tree, write_atomic
from reprobox.fragments import find_gpu_use, find_peak_memory, merge_suspects, read_fragments
from reprobox.gpus.selection import choose_gpus
from reprobox.gpus.slowdowns import Slowdowns, list_slowdowns, read_slowdowns
from reprobox.metrics import read_metrics
from reprobox.outputs import find_missing, list_outputs
from reprobox.plan import Plan, StagePlan, source_digest
from reprobox.records import (
    RECORD_SCHEMA,
    EarlierRun,
    EngineRecord,
    Gpu,
    Host,
    OutputFile,
    RunRecord,
    RuntimeRecord,
    StageRecord,
    format_record,
)
from reprobox.run_folder import (
    OnOutput,
    RunLog,
    choose_inside_user,
    lend_folders,
    make_run_folder,
    reserve_room,
    start_from,
)
from reprobox.spec.model import Spec

RECORD_TARGET = "/run/reprobox"
CONTRACT_TARGET = "/opt/reprobox/contract.json"


@dataclass(frozen=True)
class RunRequest:
    """One run of an image that the engine holds."""

    image: str
    """A name the engine resolves."""
    image_digest: str
    plan: Plan
    spec: Spec
    project: Path
    runs: Path
    """The folder that the run's own folder is made in."""
    stages: tuple[StagePlan, ...]
    command: tuple[str, ...]
    """Runs instead of the stages when it is not empty."""
    gpus: tuple[str, ...]
    """``("all",)``, or numbers and UUIDs; empty: it runs on the CPU."""
    caller: tuple[int, int]
    """Whose the outputs will be: uid and gid."""
    host: Host
    started: datetime
    trace: bool = False
    """Whether the processes fingerprint what they compute."""
    contract: bytes | None = None
    """Takes the place of the image's own: for another seed than the one it was built for."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables over the image's own."""
    unproved: tuple[str, ...] = ()
    """What the image does not hold fast, where it is none: it enters the record."""
    earlier: EarlierRun | None = None
    """The run whose outputs ``/output`` starts with."""
    fence: Callable[[Path], Fence] | None = None
    """Makes the limits of a run in this folder, where the program is a stranger's; they go before the spec's own."""
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Where inputs are that are not where the spec says."""
    mounts: tuple[Mount, ...] = ()
    """Take the place of inputs that have the same target, or of files in them."""


def run_image(
    request: RunRequest, engine: Runner, on_output: OnOutput, is_stopped: Callable[[], bool] = lambda: False
) -> tuple[Path, RunRecord]:
    """Run every stage until one fails; return the run's folder and its record, which is also written there.

    An interrupted run is recorded with exit code 130 before ``Interrupted`` goes on, and one whose engine is lost with
    that error's. ``is_stopped`` tells a run in another thread, which no signal reaches, that its containers have been
    killed.
    """
    info = engine.info()
    _check_engine(info)
    folder = make_run_folder(request.runs, request.started)
    start_from(request.earlier, folder)
    results: list[StageRecord] = []
    slowed = read_slowdowns() if request.gpus else {}
    stopped: ReproboxError | None = None
    with reserve_room(folder), RunLog(folder / "log.txt", on_output) as log, lend_folders(folder, request.caller, info):
        try:
            for stage in _choose_stages(request):
                _check_stopped(is_stopped)
                results.append(_run_stage(stage, request, folder, engine, log.take))
                _check_stopped(is_stopped)
                if results[-1].exit_code:
                    break
        except (Interrupted, EngineError) as error:
            stopped = error
    warnings = (*request.unproved, *_list_unheld(request.spec, info), *log.warnings)
    gpus = _describe_gpus(request, slowed)
    record = _make_record(request, info, folder, tuple(results), stopped, warnings, gpus)
    write_record(folder, record)
    if stopped is not None:
        raise stopped
    return folder, record


def _check_stopped(is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise Interrupted("stopped with the runs beside it")


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``; a name that is no text is in it as JSON's own escapes for the bytes that are none."""
    write_atomic(folder / "run.json", format_record(record).encode("utf-8", "backslashreplace"))


def _check_engine(info: EngineInfo) -> None:
    if not info.local:
        raise UsageError(
            "the engine is on another machine, where this machine's inputs and outputs cannot be mounted",
            hint="run reprobox on that machine, or unset DOCKER_HOST",
        )


def _list_unheld(spec: Spec, info: EngineInfo) -> Iterator[str]:
    limits = (("cpus", spec.resources.cpus), ("memory", spec.resources.memory))
    asked = [name for name, limit in limits if limit is not None]
    if asked and not info.holds_limits:
        yield f"resources: {' and '.join(asked)} had no effect, since {info.name} cannot limit containers here"


def _choose_stages(request: RunRequest) -> tuple[StagePlan, ...]:
    if request.command:
        return (StagePlan("command", request.command, ()),)
    # The entrypoint knows the commands from the contract: ask by name, as a judge without reprobox would.
    return tuple(replace(stage, command=(f"@{stage.name}",)) for stage in request.stages)


def _run_stage(stage: StagePlan, request: RunRequest, folder: Path, engine: Runner, on_output: OnOutput) -> StageRecord:
    spec = _container_for(stage, request, folder)
    result: ContainerResult = engine.run_container(spec, on_output)
    planned = {known.name: known.command for known in request.plan.stages}
    return StageRecord(
        name=stage.name,
        command=stage.command if request.command else planned[stage.name],
        exit_code=_choose_exit_code(result),
        seconds=round(result.seconds, 3),
        peak_memory=result.peak_memory,
        out_of_memory=result.out_of_memory,
        timed_out=result.timed_out,
        stopped_for=result.stopped_for,
    )


def _choose_exit_code(result: ContainerResult) -> int:
    """Return the program's; one that was stopped at its time has not done its work, in however good order it ended."""
    return result.exit_code or (128 + signal.SIGTERM if result.timed_out else 0)


def _container_for(stage: StagePlan, request: RunRequest, folder: Path) -> ContainerSpec:
    uid, gid = choose_inside_user(request.caller)
    resources = request.spec.resources
    fence = request.fence(folder) if request.fence else None
    inputs = tuple(
        Mount(request.inputs.get(name, request.project / entry.path).resolve(), f"/input/{name}")
        for name, entry in request.spec.inputs.items()
    )
    return ContainerSpec(
        image=request.image,
        argv=stage.command,
        env={
            "REPROBOX_RECORD_DIR": RECORD_TARGET,
            **({"REPROBOX_TRACE": "1"} if request.trace else {}),
            **({"REPROBOX_GPU": "1"} if request.gpus else {}),
            **request.environment,
        },
        user=f"{uid}:{gid}",
        mounts=(
            *{mount.target: mount for mount in (*inputs, *request.mounts)}.values(),
            *_mount_contract(request, folder),
            Mount(folder / "output", "/output", read_only=False),
            Mount(folder / "record", RECORD_TARGET, read_only=False),
        ),
        network=request.spec.network and fence is None,
        cpus=resources.cpus,
        memory=resources.memory,
        shm=resources.shm,
        timeout=resources.timeout,
        gpus=request.gpus,
        labels={"reprobox.run": folder.name},
        capabilities=(),
        fence=fence,
    )


def _mount_contract(request: RunRequest, folder: Path) -> Iterator[Mount]:
    """Put a contract of the run's own over the image's: every process in the container reads it, whatever its
    environment, and it stays in the run's folder.
    """
    if request.contract is not None:
        write_atomic(folder / "contract.json", request.contract)
        yield Mount(folder / "contract.json", CONTRACT_TARGET)


def _make_record(
    request: RunRequest,
    info: EngineInfo,
    folder: Path,
    stages: tuple[StageRecord, ...],
    stopped: ReproboxError | None,
    warnings_before: tuple[str, ...],
    gpus: tuple[Gpu, ...],
) -> RunRecord:
    plan, spec = request.plan, request.spec
    outputs, warnings = _list_what_is_left(folder, stages)
    runtime = read_fragments(folder / "record")
    if any(stage.stopped_for for stage in stages):
        _remove_inside(folder / "record")
    failed = next((stage.exit_code for stage in stages if stage.exit_code), 0)
    declared = () if request.command else (*spec.outputs, *(item for stage in request.stages for item in stage.outputs))
    return RunRecord(
        schema_version=RECORD_SCHEMA,
        id=folder.name,
        name=plan.name,
        started=request.started.isoformat(),
        reprobox=__version__,
        image_digest=request.image_digest,
        spec_digest=plan.spec_digest,
        lock_digest=plan.lock_digest,
        seed=plan.seed,
        level=plan.level.value,
        switches=dict(plan.switches),
        environment=dict(plan.env),
        gpus=gpus,
        network=spec.network and request.fence is None,
        host=request.host,
        engine=record_engine(info),
        inputs={name: entry.sha256 for name, entry in sorted(spec.inputs.items())},
        stages=_add_peaks(stages, runtime),
        exit_code=stopped.exit_code if stopped else failed,
        seconds=round(sum(stage.seconds for stage in stages), 3),
        runtime=runtime,
        outputs=outputs,
        missing_outputs=find_missing(tuple(dict.fromkeys(declared)), outputs),
        warnings=(*warnings_before, *warnings, *_warn_of_idle_gpus(gpus, runtime)),
        suspects=merge_suspects(runtime),
        metrics=read_metrics(folder),
        earlier=request.earlier,
        source_sha256=source_digest(plan.source),
    )


def record_engine(info: EngineInfo) -> EngineRecord:
    """Return what a record says of the engine."""
    return EngineRecord(
        name=info.name,
        version=info.version,
        api_version=info.api_version,
        store=info.store.value,
        storage_driver=info.storage_driver,
        rootless=info.rootless,
        isolation=info.isolation,
    )


def _list_what_is_left(folder: Path, stages: tuple[StageRecord, ...]) -> tuple[tuple[OutputFile, ...], tuple[str, ...]]:
    """Hash the outputs; of a run that went over a quota they are removed instead, whatever they hold."""
    reason = next((stage.stopped_for for stage in stages if stage.stopped_for), "")
    if not reason:
        return list_outputs(folder / "output")
    _remove_inside(folder / "output")
    return (), (f"the outputs were removed: {reason}",)


def _remove_inside(folder: Path) -> None:
    remove_tree(folder)
    folder.mkdir()


def _warn_of_idle_gpus(gpus: tuple[Gpu, ...], runtime: RuntimeRecord) -> Iterator[str]:
    """Say that a run on GPUs was none, as far as Python tells: a program in another language says nothing."""
    if gpus and (used := find_gpu_use(runtime)) is not None and not used:
        yield "no Python process of this run used a GPU, though it had one"


def _describe_gpus(request: RunRequest, before: Slowdowns) -> tuple[Gpu, ...]:
    """Return the GPUs that the run had, with what held their clocks down meanwhile."""
    given = choose_gpus(request.host.gpus, request.gpus) if request.gpus else ()
    after = read_slowdowns() if before else {}
    return tuple(replace(gpu, slowed=list_slowdowns(before, after, gpu.index) or gpu.slowed) for gpu in given)


def _add_peaks(stages: tuple[StageRecord, ...], runtime: RuntimeRecord) -> tuple[StageRecord, ...]:
    """Raise each peak to what the processes saw themselves: the engine samples, and a short stage slips through."""
    alone = len(stages) == 1  # then every process is its, a command's of one's own too
    peaks = [find_peak_memory(runtime, "" if alone else stage.name) for stage in stages]
    return tuple(
        stage if peak is None else replace(stage, peak_memory=max(peak, stage.peak_memory or 0))
        for stage, peak in zip(stages, peaks, strict=True)
    )
