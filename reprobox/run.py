"""Run an image's stages, seeded and fenced in, and keep the record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from reprobox import __version__
from reprobox.engines.base import ContainerResult, ContainerSpec, Engine, EngineInfo, Mount
from reprobox.errors import Interrupted, UsageError
from reprobox.files import write_atomic
from reprobox.fragments import find_peak_memory, read_fragments
from reprobox.outputs import find_missing, list_outputs, walk_tree
from reprobox.plan import Plan, StagePlan
from reprobox.records import RECORD_SCHEMA, EngineRecord, Host, RunRecord, RuntimeRecord, StageRecord, format_record
from reprobox.spec.model import Spec

UNPRIVILEGED = (1000, 1000)
"""Who the program is inside when the caller is root: never root itself."""
RECORD_TARGET = "/run/reprobox"
OnOutput = Callable[[str, bytes], None]


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
    gpu: bool
    caller: tuple[int, int]
    """Whose the outputs will be: uid and gid."""
    host: Host
    started: datetime


def run_image(request: RunRequest, engine: Engine, on_output: OnOutput) -> tuple[Path, RunRecord]:
    """Run every stage until one fails; return the run's folder and its record, which is also written there.

    An interrupted run is recorded with exit code 130 before ``Interrupted`` goes on.
    """
    info = engine.info()
    _check_engine(info)
    folder = _make_run_folder(request)
    results: list[StageRecord] = []
    with _lend_folders(folder, request.caller), (folder / "log.txt").open("wb") as log:
        tee = _tee(log.write, on_output)
        try:
            for stage in _choose_stages(request):
                results.append(_run_stage(stage, request, folder, engine, tee))
                if results[-1].exit_code:
                    break
        except Interrupted:
            write_record(folder, _make_record(request, info, folder, tuple(results), interrupted=True))
            raise
    record = _make_record(request, info, folder, tuple(results), interrupted=False)
    write_record(folder, record)
    return folder, record


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``; a name that is no text is in it as JSON's own escapes for the bytes that are none."""
    write_atomic(folder / "run.json", format_record(record).encode("utf-8", "backslashreplace"))


def _check_engine(info: EngineInfo) -> None:
    if not info.local:
        raise UsageError(
            "the engine is on another machine, where this machine's inputs and outputs cannot be mounted",
            hint="run reprobox on that machine, or unset DOCKER_HOST",
        )


def _make_run_folder(request: RunRequest) -> Path:
    stamp = request.started.strftime("%Y%m%d-%H%M%S")
    for count in range(1, 10_000):
        folder = request.runs / (stamp if count == 1 else f"{stamp}-{count}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            (folder / "output").mkdir()
            (folder / "record").mkdir()
            return folder
    raise UsageError(f"{request.runs} already holds ten thousand runs of this second")


def _choose_stages(request: RunRequest) -> tuple[StagePlan, ...]:
    if request.command:
        return (StagePlan("command", request.command, ()),)
    # The entrypoint knows the commands from the contract: ask by name, as a judge without reprobox would.
    return tuple(replace(stage, command=(f"@{stage.name}",)) for stage in request.stages)


def _run_stage(stage: StagePlan, request: RunRequest, folder: Path, engine: Engine, on_output: OnOutput) -> StageRecord:
    spec = _container_for(stage, request, folder)
    result: ContainerResult = engine.run_container(spec, on_output)
    planned = {known.name: known.command for known in request.plan.stages}
    return StageRecord(
        name=stage.name,
        command=stage.command if request.command else planned[stage.name],
        exit_code=result.exit_code,
        seconds=round(result.seconds, 3),
        peak_memory=result.peak_memory,
        out_of_memory=result.out_of_memory,
        timed_out=result.timed_out,
    )


def _container_for(stage: StagePlan, request: RunRequest, folder: Path) -> ContainerSpec:
    uid, gid = _inside_user(request.caller)
    resources = request.spec.resources
    inputs = tuple(
        Mount((request.project / entry.path).resolve(), f"/input/{name}") for name, entry in request.spec.inputs.items()
    )
    return ContainerSpec(
        image=request.image,
        argv=stage.command,
        env={"REPROBOX_RECORD_DIR": RECORD_TARGET},
        user=f"{uid}:{gid}",
        mounts=(
            *inputs,
            Mount(folder / "output", "/output", read_only=False),
            Mount(folder / "record", RECORD_TARGET, read_only=False),
        ),
        network=request.spec.network,
        cpus=resources.cpus,
        memory=resources.memory,
        shm=resources.shm,
        timeout=resources.timeout,
        gpus=request.gpu,
        labels={"reprobox.run": folder.name},
        capabilities=(),
    )


def _inside_user(caller: tuple[int, int]) -> tuple[int, int]:
    return caller if caller[0] else UNPRIVILEGED


@contextmanager
def _lend_folders(folder: Path, caller: tuple[int, int]) -> Iterator[None]:
    """Give the writable folders to the user inside for the time of the run, and all that is in them back after it."""
    lent = (folder / "output", folder / "record")
    inside = _inside_user(caller)
    if inside == caller:
        yield
        return
    for path in lent:
        os.chown(path, *inside)
    try:
        yield
    finally:
        for path in lent:
            _give_back(path, caller)


def _give_back(folder: Path, owner: tuple[int, int]) -> None:
    os.chown(folder, *owner)
    for path in walk_tree(folder, lambda path, reason: None):
        with suppress(OSError):  # what cannot be reached is warned of when the outputs are listed
            os.chown(path, *owner, follow_symlinks=False)


def _tee(write: Callable[[bytes], object], on_output: OnOutput) -> OnOutput:
    kept = 0

    def pass_on(stream: str, data: bytes) -> None:
        nonlocal kept
        on_output(stream, data)
        if kept < _LOG_LIMIT:
            write(data)
            kept += len(data)
            if kept >= _LOG_LIMIT:
                write(b"\n[reprobox: the program printed more than is kept here]\n")

    return pass_on


_LOG_LIMIT = 64 * 2**20
"""Bytes of the program's output kept in ``log.txt``."""


def _make_record(
    request: RunRequest, info: EngineInfo, folder: Path, stages: tuple[StageRecord, ...], *, interrupted: bool
) -> RunRecord:
    plan, spec = request.plan, request.spec
    outputs, warnings = list_outputs(folder / "output")
    runtime = read_fragments(folder / "record")
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
        gpu=request.gpu,
        network=spec.network,
        host=request.host,
        engine=EngineRecord(info.name, info.version, info.api_version, info.store.value, info.storage_driver),
        inputs={name: entry.sha256 for name, entry in sorted(spec.inputs.items())},
        stages=_add_peaks(stages, runtime),
        exit_code=Interrupted.exit_code if interrupted else failed,
        seconds=round(sum(stage.seconds for stage in stages), 3),
        runtime=runtime,
        outputs=outputs,
        missing_outputs=find_missing(tuple(dict.fromkeys(declared)), outputs),
        warnings=warnings,
    )


def _add_peaks(stages: tuple[StageRecord, ...], runtime: RuntimeRecord) -> tuple[StageRecord, ...]:
    """Raise each peak to what the processes saw themselves: the engine samples, and a short stage slips through."""
    alone = len(stages) == 1  # then every process is its, a command's of one's own too
    peaks = [find_peak_memory(runtime, "" if alone else stage.name) for stage in stages]
    return tuple(
        stage if peak is None else replace(stage, peak_memory=max(peak, stage.peak_memory or 0))
        for stage, peak in zip(stages, peaks, strict=True)
    )
