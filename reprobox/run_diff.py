"""Set two runs against each other: their traces, then what was not the same about them, then what they left."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, zip_longest
from pathlib import Path

from reprobox.contributions.agreement import MEANING, Comparison
from reprobox.contributions.runs import compare_folders
from reprobox.json_values import JsonObject, name_non_finite
from reprobox.outputs import Unread, compare_unread, list_unread
from reprobox.record_diff import Fact, compare_circumstances, compare_cpu_flags
from reprobox.records import RunRecord, Suspect
from reprobox.trace_diff import TraceComparison, compare_traces
from reprobox.traces import TraceFile, list_traces, read_lines


@dataclass(frozen=True)
class ProcessDiff:
    """The traces of one process of both runs."""

    stage: str
    process: str
    """"" for the main process of the stage."""
    comparison: TraceComparison | None
    """``None`` where only one of the runs has this process."""
    only_in: str = ""

    @property
    def same(self) -> bool:
        """Whether both runs have it, and the same in it."""
        return self.comparison is not None and self.comparison.same


@dataclass(frozen=True)
class OutputDiff:
    """One file that the runs do not share."""

    path: str
    what: str
    """One line: only in one of them, or how it differs."""
    same: bool
    """Whether only the bytes differ, and nothing that they say."""


@dataclass(frozen=True)
class MetricDiff:
    """One metric whose values differ."""

    name: str
    a: float | None
    b: float | None


@dataclass(frozen=True)
class RunDiff:
    """What two runs do not share."""

    a: RunRecord
    b: RunRecord
    processes: tuple[ProcessDiff, ...]
    """All that were traced, in the order of the stages."""
    circumstances: tuple[Fact, ...]
    cpu_flags: tuple[tuple[str, ...], tuple[str, ...]]
    outputs: tuple[OutputDiff, ...]
    metrics: tuple[MetricDiff, ...]
    suspects: tuple[Suspect, ...]
    """What either runtime noted, the most frequent first."""
    contributions: Comparison | None = None
    """How far the contributions of variables agree, where both runs left some; ``same`` does not depend on it."""

    @property
    def traced(self) -> bool:
        """Whether there was anything to compare step by step."""
        return any(process.comparison for process in self.processes)

    @property
    def first(self) -> ProcessDiff | None:
        """Where the runs part first, as far as their traces tell."""
        return next((process for process in self.processes if not process.same), None)

    @property
    def same(self) -> bool:
        """Whether they computed the same: traces, outputs, metrics and exit codes; circumstances do not count."""
        results = (self.first, *(one for one in self.outputs if not one.same), *self.metrics)
        return not any(results) and self.a.exit_code == self.b.exit_code

    def to_json(self) -> JsonObject:
        """Return what ``diff --json`` prints; numbers that JSON lacks are texts."""
        found = {
            "same": self.same,
            "runs": [self.a.id, self.b.id],
            "traced": self.traced,
            "first": _process_to_json(self.first) if self.first else None,
            "processes": [_process_to_json(process) for process in self.processes],
            "circumstances": [asdict(fact) for fact in self.circumstances],
            "cpu_flags": {"only_in_a": list(self.cpu_flags[0]), "only_in_b": list(self.cpu_flags[1])},
            "outputs": [asdict(output) for output in self.outputs],
            "metrics": [asdict(metric) for metric in self.metrics],
            "exit_codes": [self.a.exit_code, self.b.exit_code],
            "suspects": [asdict(suspect) for suspect in self.suspects],
            "contributions": {**asdict(self.contributions), "meaning": MEANING} if self.contributions else None,
        }
        return name_non_finite(found)


Run = tuple[Path, RunRecord]
"""A run's folder and its record."""


def compare_runs(a: Run, b: Run) -> RunDiff:
    """Compare two runs; what is missing from a folder counts as not there."""
    (folder_a, record_a), (folder_b, record_b) = a, b
    order = [stage.name for stage in record_a.stages]
    return RunDiff(
        a=record_a,
        b=record_b,
        processes=tuple(sorted(_compare_processes(folder_a, folder_b), key=lambda one: _rank(one, order))),
        circumstances=compare_circumstances(record_a, record_b),
        cpu_flags=compare_cpu_flags(record_a, record_b),
        outputs=tuple(_compare_outputs(a, b)),
        metrics=tuple(_compare_metrics(record_a.metrics, record_b.metrics)),
        suspects=_merge_suspects(record_a, record_b),
        contributions=compare_folders(folder_a / "output", folder_b / "output"),
    )


def _compare_processes(folder_a: Path, folder_b: Path) -> Iterator[ProcessDiff]:
    traces_a, traces_b = _group_traces(folder_a), _group_traces(folder_b)
    if not traces_a or not traces_b:
        # One of the runs was not traced at all.
        return
    for key in dict.fromkeys((*traces_a, *traces_b)):
        for number, (one, other) in enumerate(zip_longest(traces_a.get(key, ()), traces_b.get(key, ())), start=1):
            known = one or other
            name = known.name if number == 1 else f"{known.name} ({number})".strip()
            if one is None or other is None:
                yield ProcessDiff(known.stage, name, None, "A" if one else "B")
            else:
                yield ProcessDiff(known.stage, name, compare_traces(_events(one), _events(other)))


def _events(trace: TraceFile) -> Iterator[bytes]:
    return islice(read_lines(trace.path), 1, None)


def _group_traces(folder: Path) -> dict[tuple[object, ...], list[TraceFile]]:
    """Return a run's traces by who the process is: those that are alike go by the order in which they started."""
    groups: dict[tuple[object, ...], list[TraceFile]] = {}
    for trace in list_traces(folder / "record"):
        groups.setdefault((trace.stage, trace.role, trace.identity, trace.rank), []).append(trace)
    return groups


def _rank(process: ProcessDiff, order: list[str]) -> tuple[int, bool]:
    # What differs in a worker shows in the main process too, and there the steps have names.
    return (order.index(process.stage) if process.stage in order else len(order), bool(process.process))


def _compare_outputs(a: Run, b: Run) -> Iterator[OutputDiff]:
    known_a, known_b = ({file.path: file.sha256 for file in record.outputs} for _, record in (a, b))
    unread_a, unread_b = _list_unread(a, b)
    left_a, left_b = known_a.keys() | unread_a.keys(), known_b.keys() | unread_b.keys()
    for path in sorted(left_a | left_b):
        if path not in left_a or path not in left_b:
            yield OutputDiff(path, f"only in {'A' if path in left_a else 'B'}", same=False)
        elif path in unread_a or path in unread_b:
            words, _ = compare_unread(unread_a.get(path), unread_b.get(path))
            yield from (OutputDiff(path, words, same=False),) if words else ()
        elif known_a[path] != known_b[path]:
            yield _compare_output(path, a[0] / "output", b[0] / "output")


def _list_unread(a: Run, b: Run) -> list[dict[str, Unread]]:
    """Return by path what both runs left beside files; of a run whose folder is gone nobody knows."""
    if not all((folder / "output").is_dir() for folder, _ in (a, b)):
        return [{}, {}]
    listed = [({file.path for file in record.outputs}, folder / "output") for folder, record in (a, b)]
    return [{one.path: one for one in list_unread(folder, paths)} for paths, folder in listed]


def _compare_output(path: str, a: Path, b: Path) -> OutputDiff:
    """Compare one file of two folders; the name is the record's, and may be a stranger's."""
    from reprobox.compare import Result, compare_files  # NumPy is behind it, and most runs leave the same

    if any(not (folder / path).parent.resolve().is_relative_to(folder.resolve()) for folder in (a, b)):
        return OutputDiff(path, "its name leads out of the run's folder", same=False)
    found = compare_files(a / path, b / path)
    if found.result in (Result.SAME_BYTES, Result.SAME_CONTENT):
        return OutputDiff(path, f"other bytes, the same content, read as {found.format}", same=True)
    if found.result is Result.NOT_COMPARABLE or not found.differences:
        return OutputDiff(path, found.note or "it differs", same=False)
    one = found.differences[0]
    more = f", and {found.differing_parts - 1} more of {found.parts}" if found.differing_parts > 1 else ""
    return OutputDiff(path, f"{one.part}: {one.what}{more}" if one.part else f"{one.what}{more}", same=False)


def _compare_metrics(a: dict[str, float], b: dict[str, float]) -> Iterator[MetricDiff]:
    for name in sorted(a.keys() | b.keys()):
        one, other = a.get(name), b.get(name)
        # A metric that is no number is the same as another that is none.
        if one != other and not (one is not None and other is not None and math.isnan(one) and math.isnan(other)):
            yield MetricDiff(name, one, other)


def _merge_suspects(a: RunRecord, b: RunRecord) -> tuple[Suspect, ...]:
    merged: dict[tuple[str, str], Suspect] = {}
    for suspect in (*a.suspects, *b.suspects):
        known = merged.get((suspect.kind, suspect.where))
        if known is None or known.count < suspect.count:
            merged[suspect.kind, suspect.where] = suspect
    return tuple(sorted(merged.values(), key=lambda one: (-one.count, one.kind, one.where)))


def _process_to_json(process: ProcessDiff) -> JsonObject:
    comparison = asdict(process.comparison) if process.comparison else None
    return {
        "stage": process.stage,
        "process": process.process or "main",
        "same": process.same,
        "only_in": process.only_in or None,
        **(comparison or {"events": 0, "divergence": None, "random": None}),
    }
