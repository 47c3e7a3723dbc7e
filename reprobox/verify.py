"""Run an image N times and say what the runs prove."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from reprobox.compare import FileComparison, Result, Tolerance, compare_files, make_remark
from reprobox.contributions.agreement import Comparison, describe_comparison, find_least
from reprobox.contributions.runs import compare_folders
from reprobox.diff_text import describe_first
from reprobox.engines.base import Runner
from reprobox.errors import Interrupted, ReproboxError, UsageError
from reprobox.files import write_atomic
from reprobox.fleet import Ran, run_fleet
from reprobox.outputs import Unread, compare_unread, find_output, list_unread, select_outputs, select_unread
from reprobox.pins import Promise
from reprobox.plan import StagePlan
from reprobox.record_text import find_run
from reprobox.records import OutputFile, RunRecord
from reprobox.reporting import Reporter
from reprobox.run import RunRequest
from reprobox.run_diff import compare_runs
from reprobox.static_suspects import read_sources
from reprobox.suspects import RankedSuspect, rank_suspects
from reprobox.verdict import Cost, Judgement, RunComparison, Verdict, decide, find_obstacles
from reprobox.verification import Row, Verification, digest_outputs

T = TypeVar("T")
_MOST_NAMED = 3


@dataclass(frozen=True)
class VerifyRequest:
    """What to repeat, how often, and what to set it against."""

    run: RunRequest
    runs: int
    tolerance: Tolerance | None
    reference: Ran | None
    """An earlier run; ``None``: the first of the new ones."""
    off: RunRequest | None
    """The same at level ``off``, run after each run to see what determinism costs."""
    folder: Path
    """Where the verification is kept."""
    started: datetime
    promises: tuple[Promise, ...] = ()
    """What the image's level says of other processors."""
    reporter: Reporter | None = None
    """Shows what goes on; ``None``: nobody looks."""


def verify_runs(
    request: VerifyRequest, engines: Sequence[Runner], now: Callable[[], datetime], on_row: Callable[[Row], None]
) -> Verification:
    """Run, compare, judge; keep what came of it, also when a run failed (NOT RUN) or the user interrupted it.

    One connection to the engine for each run that may go on at the same time.
    """
    session = _Session(request, on_row)
    try:
        run_fleet(session.plan_runs(), engines, now, session.take, request.reporter)
        verification = session.conclude()
    except BaseException as exc:
        session.ended_by = exc
        with suppress(Exception):  # what ended it is what is told
            session.keep(session.conclude())
        raise
    try:
        session.keep(verification)
    except OSError as exc:  # hours of training are not thrown away with a full disk
        unkept = f"this could not be kept in {verification.path}: {exc.strerror or exc}"
        return replace(verification, notes=(*verification.notes, unkept))
    return verification


class _Session:
    """The rows of one verification, as they come."""

    def __init__(self, request: VerifyRequest, on_row: Callable[[Row], None]) -> None:
        self._request = request
        self._on_row = on_row
        self._rows: dict[int, Row] = {}
        self._path = _choose_path(request.folder, request.started)
        self._failures: dict[str, str] = {}
        self.ended_by: BaseException | None = None

    def plan_runs(self) -> tuple[RunRequest, ...]:
        """Return every run to make, those at ``off`` between the others: both see the same machine then."""
        request = self._request
        pair = (request.run,) if request.off is None else (request.run, request.off)
        return pair * request.runs

    def take(self, number: int, ran: Ran) -> bool:
        """Take one finished run; return whether the others are still worth while."""
        folder, record = ran
        each = 1 if self._request.off is None else 2
        off = number % each == 1
        unread = () if off else self._list_unread(ran)
        row = Row(number // each + 1, folder, record, self._list_outputs(record), off, unread)
        self._rows[number] = row
        self._on_row(row)
        return off or not record.failed

    def conclude(self) -> Verification:
        """Compare and judge what there is."""
        request = self._request
        ordered = [self._rows[number] for number in sorted(self._rows)]
        rows = tuple(row for row in ordered if not row.off)
        judgement, comparisons = self._judge(rows)
        parted = judgement.verdict in (Verdict.DIFFERENT, Verdict.NOT_COMPARABLE)
        traced = parted and request.run.trace
        contributions = self._attempt("contributions", lambda: self._compare_contributions(rows, comparisons)) or ()
        first_step = self._attempt("first step", lambda: self._find_first_step(rows, comparisons)) if traced else ""
        suspects = self._attempt("suspects", lambda: self._rank_suspects(rows)) if parted else ()
        notes = (*self._list_notes(rows), *_describe_contributions(contributions))
        return Verification(
            id=self._path.stem,
            path=self._path,
            started=request.started.isoformat(),
            rows=rows,
            wanted=request.runs,
            against=request.reference[1].id if request.reference else "",
            tolerance=request.tolerance,
            judgement=judgement,
            comparisons=comparisons,
            first_stage=find_first_stage(self._request.run.stages, comparisons) if parted else "",
            first_step=first_step or "",
            suspects=suspects or (),
            notes=(*notes, *self._failures.values()),
            cost=_measure_cost(ordered),
            cpu=request.run.plan.cpu,
            promises=request.promises,
            contributions=contributions,
        )

    def _attempt(self, what: str, find: Callable[[], T]) -> T | None:
        """Return what helps to read the verdict; a mistake there is a note, and throws no hours of runs away."""
        try:
            return find()
        except Exception as exc:
            self._failures[what] = (
                f"{what}: could not be found out, by a mistake in reprobox: {type(exc).__name__}: {exc}"
            )
            return None

    def keep(self, verification: Verification) -> None:
        """Write it beside the runs."""
        text = json.dumps(verification.to_json(), indent=1, ensure_ascii=False) + "\n"
        write_atomic(self._path, text.encode("utf-8", "backslashreplace"))

    def _judge(self, rows: tuple[Row, ...]) -> tuple[Judgement, tuple[RunComparison, ...]]:
        request = self._request
        failed = next((row for row in rows if row.record.failed), None)
        if failed or self.ended_by or len(rows) < request.runs:
            return _describe_end(rows, failed, self.ended_by, request.runs), ()
        reference, others = self._choose_reference(rows)
        comparisons = tuple(compare_rows(reference, row, request.tolerance) for row in others)
        judgement = decide(
            comparisons,
            nothing_left=not reference.outputs,
            with_reference=request.reference is None,
            obstacles=find_obstacles(reference.record, rows[0].record),
            tolerance=request.tolerance,
        )
        return judgement, comparisons

    def _choose_reference(self, rows: tuple[Row, ...]) -> tuple[Row, tuple[Row, ...]]:
        if self._request.reference is None:
            return rows[0], rows[1:]
        folder, record = self._request.reference
        reference = Row(0, folder, record, self._list_outputs(record), unread=self._list_unread((folder, record)))
        # Of a run whose folder is gone nobody knows what it left beside files.
        known = (folder / "output").is_dir()
        return reference, rows if known else tuple(replace(row, unread=()) for row in rows)

    def _list_outputs(self, record: RunRecord) -> tuple[tuple[str, str], ...]:
        return tuple((file.path, file.sha256) for file in select_outputs(self._declared, record.outputs))

    def _list_unread(self, ran: Ran) -> tuple[Unread, ...]:
        folder, record = ran
        found = list_unread(folder / "output", {file.path for file in record.outputs})
        return select_unread(self._declared, found)

    @property
    def _declared(self) -> tuple[str, ...]:
        run = self._request.run
        return (*run.spec.outputs, *(item for stage in run.stages for item in stage.outputs))

    def _find_first_step(self, rows: tuple[Row, ...], comparisons: tuple[RunComparison, ...]) -> str:
        reference, others = self._choose_reference(rows)
        for row, comparison in zip(others, comparisons, strict=True):
            if not comparison.identical:
                return describe_first(compare_runs((reference.folder, reference.record), (row.folder, row.record)))
        return ""

    def _compare_contributions(
        self, rows: tuple[Row, ...], comparisons: tuple[RunComparison, ...]
    ) -> tuple[tuple[str, Comparison], ...]:
        if not comparisons:
            return ()
        reference, others = self._choose_reference(rows)
        found = [(row.record.id, compare_folders(reference.folder / "output", row.folder / "output")) for row in others]
        return tuple((run, one) for run, one in found if one is not None)

    def _rank_suspects(self, rows: tuple[Row, ...]) -> tuple[RankedSuspect, ...]:
        run = self._request.run
        earlier = (self._request.reference[1],) if self._request.reference else ()
        sources = read_sources(run.project, [file.path for file in run.plan.source])
        return rank_suspects((*earlier, *(row.record for row in rows)), sources)

    def _list_notes(self, rows: tuple[Row, ...]) -> list[str]:
        notes = []
        left_out = {file.path for row in rows for file in row.record.outputs} - {
            path for row in rows for path, _ in row.outputs
        }
        if left_out:
            names = ", ".join(sorted(left_out)[:_MOST_NAMED])
            notes.append(f"not compared, since the spec's outputs do not name them: {names}")
        if unread := {one.path: one.what for row in rows for one in row.unread}:
            shown = [f"{path} ({what})" for path, what in sorted(unread.items())[:_MOST_NAMED]]
            more = f" and {len(unread) - len(shown)} more" if len(unread) > len(shown) else ""
            notes.append(f"not read, since they are no files that can be: {', '.join(shown)}{more}")
        if self._request.reference and rows:
            one, other = self._request.reference[1].host, rows[0].record.host
            if one.cpu_model != other.cpu_model:
                notes.append(f"the earlier run had another processor: {one.cpu_model} against {other.cpu_model}")
        return notes


def _describe_contributions(found: tuple[tuple[str, Comparison], ...]) -> list[str]:
    least = find_least([one for _, one in found])
    many = f" (the least of {len(found)} comparisons)" if len(found) > 1 and least.agreements else ""
    return [f"{line}{many}" for line in describe_comparison(least)]


def find_reference(name: str, state: Path) -> Ran:
    """Return the run that ``--against`` names, by itself or by a verification of which it is the first.

    ``state`` is the project's ``.reprobox``. Raises ``UsageError`` when there is none.
    """
    for path in (Path(name), state / "verify" / f"{name}.json"):
        if path.is_file() and (run := _read_first_run(path)):
            return find_run(run, state / "runs")
    folder, record = find_run(name, state / "runs")
    if record.failed:
        raise UsageError(f"run {record.id} failed, so there is nothing to repeat", hint="name a run that succeeded")
    return folder, record


def _read_first_run(path: Path) -> str:
    try:
        data = json.loads(path.read_bytes())
        return str(data["runs"][0]["run"]) if "verdict" in data else ""
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""


def _choose_path(folder: Path, started: datetime) -> Path:
    stamp = started.strftime("%Y%m%d-%H%M%S")
    names = (stamp if count == 1 else f"{stamp}-{count}" for count in range(1, 10_000))
    return next(path for name in names if not (path := folder / f"{name}.json").exists())


def _describe_end(rows: tuple[Row, ...], failed: Row | None, ended_by: BaseException | None, wanted: int) -> Judgement:
    done = sum(not row.record.failed for row in rows)
    if failed is None and isinstance(ended_by, ReproboxError) and not isinstance(ended_by, Interrupted):
        reason = f"ended after {done} of {wanted} runs: {ended_by.message}"
    elif failed is None and isinstance(ended_by, Exception) and not isinstance(ended_by, Interrupted):
        reason = f"ended after {done} of {wanted} runs by a mistake in reprobox: {type(ended_by).__name__}: {ended_by}"
    elif failed is None:
        reason = f"interrupted after {done} of {wanted} runs"
    elif any(stage.timed_out for stage in failed.record.stages):
        reason = f"run {failed.record.id} was stopped at its time, resources.timeout in the spec"
    elif failed.record.exit_code:
        reason = f"run {failed.record.id} failed with exit code {failed.record.exit_code}"
    else:
        reason = f"run {failed.record.id} left out {', '.join(failed.record.missing_outputs)}"
    return Judgement(Verdict.NOT_RUN, len(rows), 0, reason)


def compare_rows(reference: Row, row: Row, tolerance: Tolerance | None) -> RunComparison:
    """Compare what a run left with what the reference left, file by file."""
    known, left = dict(reference.outputs), dict(row.outputs)
    both = [path for path in known if path in left and known[path] != left[path]]
    files = [(path, _compare_output(path, reference.folder, row.folder, tolerance)) for path in both]
    names = dict.fromkeys((*known, *(one.path for one in reference.unread)))
    names_left = dict.fromkeys((*left, *(one.path for one in row.unread)))
    return RunComparison(
        run=row.record.id,
        missing=tuple(path for path in names if path not in names_left),
        added=tuple(path for path in names_left if path not in names),
        files=(*files, *_compare_unread(reference, row, names.keys() & names_left.keys())),
    )


def _compare_unread(reference: Row, row: Row, both: Collection[str]) -> Iterator[tuple[str, FileComparison]]:
    """Compare what both runs left, and at least one of them not as a file that could be read."""
    one, other = ({unread.path: unread for unread in each.unread} for each in (reference, row))
    for path in sorted((one.keys() | other.keys()) & set(both)):
        words, sure = compare_unread(one.get(path), other.get(path))
        if words:
            result = Result.DIFFERENT if sure else Result.NOT_COMPARABLE
            yield path, FileComparison("unread", result, 0, remarks=make_remark("told", text=words))


def _compare_output(path: str, reference: Path, folder: Path, tolerance: Tolerance | None) -> FileComparison:
    one, other = find_output(reference, path), find_output(folder, path)
    if not (one and one.exists() and other and other.exists()):
        return FileComparison("bytes", Result.DIFFERENT, 1, remarks=make_remark("digest_only"))
    return compare_files(one, other, tolerance)


def find_first_stage(stages: Sequence[StagePlan], comparisons: Sequence[RunComparison]) -> str:
    """Return the first stage, of several, with an output of its own that is not the same in some run; "" for none."""
    paths = {path for one in comparisons for path in (*one.missing, *one.added, *_list_differing(one))}
    differing = tuple(OutputFile(path, "", 0) for path in sorted(paths))
    for stage in stages if len(stages) > 1 else ():
        if stage.outputs and select_outputs(stage.outputs, differing):
            return stage.name
    return ""


def _list_differing(one: RunComparison) -> list[str]:
    return [path for path, found in one.files if found.result in (Result.DIFFERENT, Result.NOT_COMPARABLE)]


def _measure_cost(rows: Sequence[Row]) -> Cost | None:
    on = {row.number: row.record for row in rows if not row.off and not row.record.failed}
    off = {row.number: row for row in rows if row.off and not row.record.failed}
    pairs = sorted(on.keys() & off.keys())
    seconds = tuple(on[number].seconds for number in pairs)
    seconds_off = tuple(off[number].record.seconds for number in pairs)
    if not pairs or not all(seconds_off):
        return None
    return Cost(seconds, seconds_off, len({digest_outputs(off[number].outputs) for number in pairs}))
