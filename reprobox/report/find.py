"""Find what a report is made of: the run, and what was proved of its image; nothing of it is trusted."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprobox.errors import UsageError
from reprobox.plan import Plan, source_digest
from reprobox.record_text import RECORD_FILE, find_run, read_record
from reprobox.records import RunRecord
from reprobox.report.extra_model import VerificationFacts, VerifiedRun
from reprobox.report.procedure import PREDICT
from reprobox.report.sources import Evidence, is_in_image
from reprobox.report.values import Origin
from reprobox.sweep import SweepRecord, read_sweep, sweep_id

_LARGEST = 64 * 2**20


def find_evidence(path: Path, project: Path) -> Evidence:
    """Return a file's name as a report says it, and its sha256."""
    inside = path.absolute()
    try:
        name = inside.relative_to(project.absolute()).as_posix()
    except ValueError:
        # Elsewhere on this machine, which is nobody's business.
        name = "/".join(inside.parts[-2:])
    with path.open("rb") as stream:
        return Evidence(name, hashlib.file_digest(stream, "sha256").hexdigest())


def choose_run(named: str, plan: Plan, runs: Path) -> tuple[Path, RunRecord]:
    """Return the folder and record of the run that is named, or of the newest complete one of this spec and source."""
    if named:
        folder, record = find_run(named, runs)
        if lacking := list_lacking(record, plan):
            raise UsageError(
                f"run {record.id} is no whole run of this project: {lacking[0]}",
                hint="name another run, or make one: `reprobox run`",
            )
        return folder, record
    newest, reason = "", "there is no run at all"
    for folder, record in _read_newest_first(runs):
        lacking = [*list_lacking(record, plan), *_list_changes(record, plan)]
        if not lacking:
            return folder, record
        if not newest:
            newest, reason = record.id, f"of the newest one, {record.id}, {lacking[0]}"
    raise UsageError(
        f"there is no complete run of this spec, lock and source: {reason}",
        hint="`reprobox run` or `reprobox verify` makes one; --run names another",
    )


def list_lacking(record: RunRecord, plan: Plan) -> list[str]:
    """Return why a run is not one of all the plan's stages that ended well."""
    found = []
    if record.exit_code:
        found.append(f"the exit code was {record.exit_code}")
    if record.missing_outputs:
        found.append(f"there was no {record.missing_outputs[0]}")
    stages = [(stage.name, stage.command) for stage in plan.stages]
    if [(stage.name, stage.command) for stage in record.stages] != stages:
        found.append("other stages or commands were run than the spec's")
    return found


def _list_changes(record: RunRecord, plan: Plan) -> list[str]:
    pairs = (
        ("seed", str(record.seed), str(plan.seed)),
        ("spec", record.spec_digest, plan.spec_digest),
        ("lock", record.lock_digest, plan.lock_digest),
        ("source", record.source_sha256 or source_digest(plan.source), source_digest(plan.source)),
    )
    return [f"the {what} was another" for what, one, other in pairs if one != other]


def _read_newest_first(runs: Path) -> Iterator[tuple[Path, RunRecord]]:
    found = []
    for path in runs.glob(f"*/{RECORD_FILE}"):
        try:
            found.append((path.parent, read_record(path)))
        except UsageError:
            continue  # of another version, or damaged
    # What ran in an image goes first: only that can be handed over.
    yield from sorted(found, key=lambda item: (is_in_image(item[1]), item[1].started, item[1].id), reverse=True)


def find_repredicted(runs: Path, record: RunRecord) -> tuple[Path, RunRecord] | None:
    """Return the newest run of the stage ``predict`` alone that started with what this run left."""
    for folder, one in _read_newest_first(runs):
        alone = [stage.name for stage in one.stages] == [PREDICT] and not one.exit_code
        if alone and one.image_digest == record.image_digest and one.earlier and one.earlier.run == record.id:
            return folder, one
    return None


def find_verification(state: Path, record: RunRecord, project: Path) -> VerificationFacts | None:
    """Return the newest verification of the run's image, with its seed."""
    from reprobox.verification import VERIFY_SCHEMA  # late: it brings every reader of outputs

    found = []
    for path in state.glob("verify/*.json"):
        data = read_object(path)
        if data.get("schema_version") == VERIFY_SCHEMA and _is_same(data, record):
            found.append((str(data.get("started")), path, data))
    for _, path, data in sorted(found, key=lambda item: item[:2], reverse=True):
        try:
            return parse_verification(data, find_evidence(path, project))
        except (KeyError, TypeError, ValueError):
            continue  # damaged
    return None


def _is_same(data: dict[str, Any], record: RunRecord) -> bool:
    return data.get("image_digest") == record.image_digest and data.get("seed") == record.seed


def parse_verification(data: dict[str, Any], evidence: Evidence) -> VerificationFacts:
    """Take a verification out of its JSON; KeyError, TypeError or ValueError where it is none of ours."""
    runs = tuple(
        VerifiedRun(str(one["run"]), _number(one["seconds"]), int(one["exit_code"]), str(one["digest"]))
        for one in data["runs"]
    )
    cost = data["cost"]
    return VerificationFacts(
        origin=Origin.MEASURED,
        trace=evidence.trace("verdict", "agreeing", "runs"),
        id=str(data["id"]),
        verdict=str(data["verdict"]),
        reason=str(data["reason"]),
        wanted=int(data["wanted"]),
        agreeing=int(data["agreeing"]),
        bound=None if data["bound"] is None else _number(data["bound"]),
        against=None if data["against"] is None else str(data["against"]),
        runs=runs,
        cost=None if cost is None else _number(cost["ratio"]),
    )


def _number(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError("no finite number")
    return number


def find_sweep(state: Path, record: RunRecord, project: Path) -> tuple[SweepRecord, Evidence] | None:
    """Return the sweep of the run's image around its seed."""
    name = sweep_id(record.image_digest, gpu=bool(record.gpus))
    path = state / "sweep" / f"{name}.json"
    if not path.is_file():
        return None
    fresh = SweepRecord(
        id=name,
        name=record.name,
        image_digest=record.image_digest,
        spec_digest=record.spec_digest,
        lock_digest=record.lock_digest,
        level=record.level,
        gpu=bool(record.gpus),
        claimed_seed=record.seed,
        runs=(),
    )
    return read_sweep(path, fresh), find_evidence(path, project)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one where there is none, or none that can be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
