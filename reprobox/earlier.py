"""Which run a stage on its own goes on from: one whose earlier stages succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprobox.errors import Interrupted, UsageError
from reprobox.outputs import find_missing, select_outputs
from reprobox.plan import Plan, StagePlan
from reprobox.record_text import find_run, read_newest_first
from reprobox.records import EarlierRun, OutputFile, RunRecord
from reprobox.reporting import format_count


@dataclass(frozen=True)
class EarlierRequest:
    """Which stage is to run, of which image, on what."""

    plan: Plan
    stage: StagePlan
    image_digest: str
    inputs: dict[str, str]
    """Name -> sha256."""
    runs: Path
    """The folder that this project's runs are in."""
    named: str
    """The run that the user names, by id, folder or record; empty: the newest that fits."""

    @property
    def stages_before(self) -> tuple[StagePlan, ...]:
        """The stages whose outputs it needs."""
        return self.plan.stages[: self.plan.stages.index(self.stage)]


def find_earlier_run(request: EarlierRequest) -> EarlierRun | None:
    """Return the run whose outputs the stage starts with; none for the first stage.

    Without a name it is the newest of the same image and the same inputs. Raises ``UsageError`` when there is none.
    """
    if not request.stages_before:
        if request.named:
            raise UsageError(
                f"{request.stage.name} is the first stage, so it starts from nothing", hint="leave --from out"
            )
        return None
    if request.named:
        folder, record = find_run(request.named, request.runs)
        if lacking := _list_lacking(request, record):
            raise UsageError(
                f"in run {record.id}, {' and '.join(lacking)} did not succeed, which {request.stage.name} goes on from",
                hint="name a run in which it did",
            )
        return _describe(request, folder, record)
    for folder, record in read_newest_first(request.runs):
        if _is_same(request, record) and not _list_lacking(request, record):
            return _describe(request, folder, record)
    names = [stage.name for stage in request.stages_before]
    raise UsageError(
        f"{request.stage.name} goes on from what {' and '.join(names)} left, and no run of this image has that",
        hint=f"run the earlier stages first: {', then '.join(f'`reprobox run --stage {name}`' for name in names)};"
        " or name a run of another image: --from RUN",
    )


def describe_earlier(request: EarlierRequest, earlier: EarlierRun) -> str:
    """Say in one line what the stage starts with."""
    other = "" if earlier.image_digest == request.image_digest else ", which was of another image"
    count = format_count(len(earlier.outputs), "output")
    return f"{request.stage.name} starts with a copy of {count} of run {earlier.run}{other}"


def _is_same(request: EarlierRequest, record: RunRecord) -> bool:
    # A sweep's runs are of the same image with other seeds.
    same = (request.image_digest, request.plan.seed, request.inputs)
    return (record.image_digest, record.seed, record.inputs) == same and record.exit_code != Interrupted.exit_code


def _list_lacking(request: EarlierRequest, record: RunRecord) -> list[str]:
    """Name the needed stages that failed there, were not run, or left less than the spec says."""
    done = {stage.name for stage in record.stages if stage.exit_code == 0}
    done |= set(record.earlier.stages) if record.earlier else set()
    return [
        stage.name
        for stage in request.stages_before
        if stage.name not in done or find_missing(stage.outputs, record.outputs)
    ]


def _describe(request: EarlierRequest, folder: Path, record: RunRecord) -> EarlierRun:
    names = tuple(stage.name for stage in request.stages_before)
    return EarlierRun(record.id, str(folder.absolute()), record.image_digest, names, _choose_files(request, record))


def _choose_files(request: EarlierRequest, record: RunRecord) -> tuple[OutputFile, ...]:
    """Leave out what the stage itself or a later one is to leave: it must not seem to have done so."""
    before = _declared(request.stages_before, record)
    after = _declared(request.plan.stages[len(request.stages_before) :], record)
    return tuple(file for file in record.outputs if file in before or file not in after)


def _declared(stages: tuple[StagePlan, ...], record: RunRecord) -> set[OutputFile]:
    declared = tuple(item for stage in stages for item in stage.outputs)
    return set(select_outputs(declared, record.outputs)) if declared else set()
