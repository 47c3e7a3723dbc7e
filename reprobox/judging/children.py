"""Judge many bundles, each in a process of its own: what becomes of one is nothing to the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprobox.bundle.read import read_heading
from reprobox.errors import ReproboxError, UsageError
from reprobox.judging.batch import BatchRow, make_row
from reprobox.judging.ending import DISK_FULL
from reprobox.judging.judge import JUDGEMENT_FILE
from reprobox.judging.judgement import describe_file
from reprobox.judging.receive import choose_folder
from reprobox.judging.terms import Contest
from reprobox.process import Followed
from reprobox.verdict import Verdict, choose_exit

_LARGEST_JUDGEMENT = 256 * 2**20


@dataclass(frozen=True)
class Batch:
    """What is to be judged, and how."""

    files: tuple[Path, ...]
    out: Path
    contest: Contest
    terms: str
    """Digest of what holds for all."""
    command: Callable[[Path], Sequence[str]]
    """Bundle -> the program that judges it, below ``out``, and answers with one JSON object."""
    jobs: int


def list_bundles(named: Sequence[Path], suffix: str) -> tuple[Path, ...]:
    """Return the files that are named, and those in the folders that are; each needs a name of its own."""
    found: list[Path] = []
    for path in named:
        inside = sorted(path.glob(f"*{suffix}")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path} holds no file *{suffix}", hint="name bundles, or the folder that they are in")
        found += inside
    names: dict[str, Path] = {}
    for path in found:
        if path.stem in names:
            raise UsageError(
                f"{names[path.stem]} and {path} have the same name, by which their judgements are kept",
                hint="rename one of them",
            )
        names[path.stem] = path
    return tuple(found)


def judge_all(
    batch: Batch, on_line: Callable[[Path, str], None], on_row: Callable[[BatchRow], None]
) -> tuple[BatchRow, ...]:
    """Judge every bundle that has no judgement under these terms; return the rows in the order of the files.

    One that was ended because a disk was full, while others ran, is judged again when it is alone. ``on_line`` gets
    what is said of one meanwhile, from any thread. When this is interrupted, all are.
    """
    rows: dict[Path, BatchRow] = {}

    def keep(path: Path, row: BatchRow) -> None:
        rows[path] = row
        on_row(row)

    again = _judge_at_once(batch, batch.files, batch.jobs, on_line, keep, may_wait=batch.jobs > 1)
    _judge_at_once(batch, again, 1, on_line, keep, may_wait=False)
    return tuple(rows[path] for path in batch.files)


def _judge_at_once(
    batch: Batch,
    files: Sequence[Path],
    jobs: int,
    on_line: Callable[[Path, str], None],
    on_row: Callable[[Path, BatchRow], None],
    *,
    may_wait: bool,
) -> list[Path]:
    """Judge so many at once; return those that are to be judged again, of which nothing is said yet."""
    programs = {path: Followed(batch.command(path)) for path in files}
    again = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(_judge_one, batch, path, programs[path], on_line): path for path in files}
        try:
            for future in as_completed(futures):
                row, wants_room = future.result()
                if wants_room and may_wait:
                    again.append(futures[future])
                else:
                    on_row(futures[future], row)
        except BaseException:
            for program in programs.values():
                program.stop()
            raise
    return again


def _judge_one(
    batch: Batch, path: Path, program: Followed, on_line: Callable[[Path, str], None]
) -> tuple[BatchRow, bool]:
    """Return its row, and whether it wants more room than there was."""
    if (known := _find_judgement(batch, path)) is not None:
        code = choose_exit(Verdict(known["verdict"]))
        return make_row(path.name, code, known, batch.contest, kept=True), False
    done = program.run(lambda line: on_line(path, line))
    answer = _read_answer(done.stdout)
    return make_row(path.name, done.code, answer, batch.contest, kept=False), _wants_room(answer)


def _find_judgement(batch: Batch, path: Path) -> Mapping[str, Any] | None:
    """Return what was found out about this very bundle under these very terms."""
    try:
        kept = choose_folder(path, batch.out) / JUDGEMENT_FILE
        if kept.stat().st_size > _LARGEST_JUDGEMENT:
            return None
        answer = _read_answer(kept.read_text("utf-8"))
        now = (read_heading(path).digest, describe_file(path), batch.terms)
        same = (answer.get("bundle"), answer.get("file"), answer.get("terms")) == now
    except (OSError, ValueError, ReproboxError):
        return None
    final = answer.get("verdict") in list(Verdict) and not _wants_room(answer)
    return answer if same and final else None


def _wants_room(answer: Mapping[str, Any]) -> bool:
    """Whether an entry was ended for a disk that another may have filled."""
    return DISK_FULL in (answer.get("reason_keys") or ())


def _read_answer(text: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
