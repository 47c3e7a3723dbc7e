"""Why a judged run was no result, in words that tell the program's faults from the sandbox's."""

from __future__ import annotations

from pathlib import Path

from reprobox.judging.terms import Contest
from reprobox.records import RunRecord, StageRecord
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable

_KILLED = 137
_FILE_TOO_LARGE = 153
"""128 and SIGXFSZ."""
_TAIL = 2000
_LINES = 5


def explain_failure(record: RunRecord, folder: Path, contest: Contest) -> str:
    """Return one sentence for people; texts of the program's are cut and made harmless."""
    for stage in record.stages:
        if reason := _explain_stage(stage, contest):
            return f"{stage.name}: {reason}{_quote_end(folder / 'log.txt', stage)}"
    if record.missing_outputs:
        names = ", ".join(escape_unprintable(name) for name in record.missing_outputs[:5])
        return f"the program ended well and left out {names}"
    return f"the run ended with exit code {record.exit_code}"


def _explain_stage(stage: StageRecord, contest: Contest) -> str:
    limits = contest.limits
    if stage.stopped_for:
        return f"stopped by the judge: {stage.stopped_for} (limits.output, limits.output_files)"
    if stage.timed_out:
        return f"stopped by the judge: its time was up after {stage.seconds:.0f} s (limits.time)"
    if stage.out_of_memory:
        most = f" of {format_size(limits.memory)}" if limits.memory else ""
        return f"killed: it wanted more memory than the limit{most} (limits.memory)"
    if stage.exit_code == _KILLED:
        return "killed (exit code 137), which the engine does not put down to memory: by itself, or by the system"
    if stage.exit_code == _FILE_TOO_LARGE:
        return f"stopped: it wrote a file larger than {format_size(limits.output)} (limits.output)"
    return f"the program failed with exit code {stage.exit_code}" if stage.exit_code else ""


def _quote_end(log: Path, stage: StageRecord) -> str:
    """Quote the program's last lines, and say where the sandbox is the likely reason."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    hint = ""
    if "Read-only file system" in text:
        hint = "; it writes outside of /output, /tmp and its home, which a judged run may not (read_only)"
    elif "Network is unreachable" in text or "Temporary failure in name resolution" in text:
        hint = "; it wants the network, which a judged run does not have"
    elif "File too large" in text:
        hint = "; it writes a larger file than a judged run may (limits.output)"
    elif "No space left on device" in text:
        hint = "; what it writes to /tmp or its home is more than a judged run may (limits.scratch)"
    lines = [escape_unprintable(line)[:200] for line in text.splitlines() if line.strip()][-_LINES:]
    return hint + (" — it printed last: " + " / ".join(lines) if lines and stage.exit_code else "")
