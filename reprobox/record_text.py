"""Read run records back; whoever sent one is not trusted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from reprobox.errors import UsageError
from reprobox.records import RECORD_SCHEMA, RunRecord
from reprobox.typed_json import Misfit, build_value

RECORD_FILE = "run.json"
_LARGEST_RECORD = 64 * 2**20
"""Bytes; a run of thousands of processes makes one half as large."""


def read_record(path: Path) -> RunRecord:
    """Read ``run.json``; raise ``UsageError`` when it is none of ours."""
    try:
        return parse_record(_read_text(path))
    except (OSError, ValueError, RecursionError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(
            f"{path} is no readable run record: {reason}",
            hint="name a run's folder (.reprobox/runs/…) or the run.json in it",
        ) from exc


def parse_record(text: str) -> RunRecord:
    """Return the record that ``text`` holds; raise ``ValueError`` naming the key that is wrong."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise Misfit("it holds no object")
    if data.get("schema_version") != RECORD_SCHEMA:
        raise Misfit(f"schema_version is {data.get('schema_version')!r}, this reprobox reads {RECORD_SCHEMA}")
    record: RunRecord = build_value(RunRecord, data, "")
    return record


def find_run(name: str, runs: Path) -> tuple[Path, RunRecord]:
    """Return the folder and the record of a run: named by its id below ``runs``, by its folder, or by its record."""
    for path in (Path(name), runs / name):
        if path.is_dir():
            return path, read_record(path / RECORD_FILE)
        if path.is_file():
            return path.parent, read_record(path)
    raise UsageError(f"there is no run {name}", hint=f"name a folder or run.json; the runs made here are in {runs}")


def read_newest_first(runs: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Yield folder and record of every run below ``runs``, the newest first; what cannot be read is passed over."""
    folders = [path for path in runs.glob("*") if (path / RECORD_FILE).is_file()]
    for folder in sorted(folders, key=age_of, reverse=True):
        try:
            yield folder, read_record(folder / RECORD_FILE)
        except UsageError:
            continue  # of another version, or damaged


def age_of(folder: Path) -> tuple[str, int]:
    """Put "20260101-080000-10" after "20260101-080000-2"."""
    stamp, number = folder.name[:15], folder.name[16:]
    return stamp, int(number) if number.isdecimal() else 1


def _read_text(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Misfit("it is no file")
        if status.st_size > _LARGEST_RECORD:
            raise Misfit(f"it has {status.st_size} bytes")
        return stream.read().decode("utf-8")
