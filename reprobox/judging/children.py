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
from reprobox.judging.judge import JUDGEMENT_FILE
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

    ``on_line`` gets what is said of one meanwhile, from any thread. When this is interrupted, all are.
    """
    programs = {path: Followed(batch.command(path)) for path in batch.files}
    rows: dict[Path, BatchRow] = {}
    with ThreadPoolExecutor(batch.jobs) as pool:
        futures = {pool.submit(_judge_one, batch, path, programs[path], on_line): path for path in batch.files}
        try:
            for future in as_completed(futures):
                rows[futures[future]] = future.result()
                on_row(future.result())
        except BaseException:
            for program in programs.values():
                program.stop()
            raise
    return tuple(rows[path] for path in batch.files)


def _judge_one(batch: Batch, path: Path, program: Followed, on_line: Callable[[Path, str], None]) -> BatchRow:
    if (known := _find_judgement(batch, path)) is not None:
        code = choose_exit(Verdict(known["verdict"]))
        return make_row(path.name, code, known, batch.contest, kept=True)
    done = program.run(lambda line: on_line(path, line))
    return make_row(path.name, done.code, _read_answer(done.stdout), batch.contest, kept=False)


def _find_judgement(batch: Batch, path: Path) -> Mapping[str, Any] | None:
    """Return what was found out about this very bundle under these very terms."""
    try:
        kept = choose_folder(path, batch.out) / JUDGEMENT_FILE
        if kept.stat().st_size > _LARGEST_JUDGEMENT:
            return None
        answer = _read_answer(kept.read_text("utf-8"))
        same = answer.get("bundle") == read_heading(path).digest and answer.get("terms") == batch.terms
    except (OSError, ValueError, ReproboxError):
        return None
    return answer if same and answer.get("verdict") in list(Verdict) else None


def _read_answer(text: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
