"""Why a judged run was no result, in words that tell the program's faults from the sandbox's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reprobox.engines.quota import tells_of_full_disk
from reprobox.judging.terms import Contest
from reprobox.languages import Reason, Said, make_reason
from reprobox.records import RunRecord, StageRecord
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable

_KILLED = 137
_FILE_TOO_LARGE = 153
"""128 and SIGXFSZ."""
DISK_FULL = "disk_full"
"""The reason that says more of the machine than of the entry."""
_FULL = 0.97
"""How much of its memory a program has used that has used it up."""
_TAIL = 2000
_LINES = 5
_SIGNS = {
    "writes_elsewhere": ("Read-only file system",),
    "wants_network": ("Network is unreachable", "Temporary failure in name resolution"),
    "writes_large_file": ("File too large",),
    "scratch_full": ("No space left on device",),
}
"""What the sandbox forbids, and how programs say that they ran into it."""


def explain_failure(record: RunRecord, folder: Path, contest: Contest) -> Said:
    """Say it for people; texts of the program's are cut and made harmless."""
    for stage in record.stages:
        if reason := _explain_stage(stage, contest):
            return (reason, *_quote_end(folder / "log.txt", stage))
    if record.missing_outputs:
        names = ", ".join(escape_unprintable(name) for name in record.missing_outputs[:5])
        return (make_reason("outputs_missing", names=names),)
    return (make_reason("run_failed", code=record.exit_code),)


def _explain_stage(stage: StageRecord, contest: Contest) -> Reason | None:
    limits, name = contest.limits, escape_unprintable(stage.name)
    if tells_of_full_disk(stage.stopped_for):
        return make_reason(DISK_FULL, stage=name, why=stage.stopped_for)
    if stage.stopped_for:
        return make_reason("stopped_for", stage=name, why=stage.stopped_for)
    if stage.timed_out:
        return make_reason("timed_out", stage=name, seconds=f"{stage.seconds:.0f}")
    if stage.out_of_memory and limits.memory:
        return make_reason("out_of_memory", stage=name, most=format_size(limits.memory))
    if stage.out_of_memory:
        return make_reason("out_of_all_memory", stage=name)
    if stage.exit_code == _KILLED and limits.memory and (stage.peak_memory or 0) >= _FULL * limits.memory:
        # Not every engine says what its kernel killed a program for.
        return make_reason("killed_full", stage=name, most=format_size(limits.memory))
    if stage.exit_code == _KILLED:
        return make_reason("killed", stage=name)
    if stage.exit_code == _FILE_TOO_LARGE:
        return make_reason("file_too_large", stage=name, most=format_size(limits.output))
    return make_reason("program_failed", stage=name, code=stage.exit_code) if stage.exit_code else None


def _quote_end(log: Path, stage: StageRecord) -> Iterator[Reason]:
    """Say where the sandbox is the likely reason, and quote the program's last lines."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return
    known = (key for key, marks in _SIGNS.items() if any(mark in text for mark in marks))
    yield from (make_reason(key) for key in list(known)[:1])
    lines = [escape_unprintable(line)[:200] for line in text.splitlines() if line.strip()][-_LINES:]
    if lines and stage.exit_code:
        yield make_reason("printed_last", lines=" / ".join(lines))
