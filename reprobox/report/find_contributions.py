"""Find the contributions of a run's variables: those that its program left, or else those found by shuffling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reprobox.contributions.model import Contributions
from reprobox.contributions.read import META, TABLE, read_contributions
from reprobox.errors import UsageError
from reprobox.inputs import hash_file
from reprobox.records import RunRecord
from reprobox.report.find import find_evidence, read_object
from reprobox.report.sources import Evidence

Found = tuple[Contributions, Evidence]


def find_contributions(folder: Path, record: RunRecord, state: Path, project: Path) -> Found | None:
    """Return the run's own, as long as they are what it left; else the newest that shuffling its image gave."""
    return _find_own(folder / "output", record, project) or next(_list_shuffled(state, record, project), None)


def _find_own(output: Path, record: RunRecord, project: Path) -> Found | None:
    recorded = {file.path: file.sha256 for file in record.outputs}
    present = [name for name in (TABLE, META) if name in recorded and (output / name).is_file()]
    for name in present:
        if hash_file(output / name) != recorded[name]:
            raise UsageError(f"{name} of run {record.id} was changed since", hint="run again, or name another run")
    return _read(output, present, project) if present else None


def _list_shuffled(state: Path, record: RunRecord, project: Path) -> Iterator[Found]:
    """Yield the newest first, but those of this very run's model before any: runs may leave different ones."""
    found = []
    for path in state.glob("contributions/*/permutation.json"):
        data = read_object(path)
        if (data.get("image_digest"), data.get("seed")) == (record.image_digest, record.seed):
            found.append((data.get("from_run") == record.id, str(data.get("started")), path.parent))
    for *_, folder in sorted(found, reverse=True):
        yield _read(folder, [name for name in (TABLE, META) if (folder / name).is_file()], project)


def _read(folder: Path, present: list[str], project: Path) -> Found:
    found = read_contributions(folder / TABLE, folder / META if META in present else None)
    return found, find_evidence(folder / (present or [TABLE])[0], project)
