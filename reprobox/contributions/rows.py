"""Lines of ``contributions.csv`` -> contributions: each cell checked, then the variables of each model together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from reprobox.contributions.absence import is_absence, read_absence
from reprobox.contributions.meta import INTEGERS, TEXTS, Meta
from reprobox.contributions.mistakes import quote
from reprobox.contributions.model import Contribution
from reprobox.contributions.numbers import parse_integer, parse_number
from reprobox.contributions.table import Line, Report

_STATED = ("method", "importance_type", "data_split", "metric")
"""What a number means nothing without."""
LONGEST_NAME = 500
"""Characters of a variable's name."""
_LONGEST_TEXT = 10_000
_SUM_TOLERANCE = 0.01
"""Rounded numbers are allowed to miss one by as much."""
_UNRANKED = 0
_ABSENT_HINT = "where the method has none, write 'not applicable: REASON'"


@dataclass(frozen=True)
class _Numbered:
    line: int
    row: Contribution


def build_rows(lines: Sequence[Line], meta: Meta, report: Report) -> tuple[Contribution, ...]:
    """Return the contributions, those of a model together and by rank; report whatever does not fit."""
    shared = {name: _find_only_value(name, lines) for name in TEXTS}
    texts = {**{name: text for name, text in shared.items() if text}, **meta.texts}
    defaults = replace(meta, texts=texts, seed=meta.seed or _find_only_value("seed", lines))
    numbered = [_Numbered(line.number, _build_row(line, defaults, report)) for line in lines]
    models: dict[str, list[_Numbered]] = {}
    for one in numbered:
        models.setdefault(one.row.model_id, []).append(one)
    if len(models) > 1:
        _check_ensemble(models, meta, report)
    return tuple(row for rows in models.values() for row in _finish_model(rows, meta, report))


def rank_value(importance: float, sign: str) -> float:
    """Return what ranks follow: the size where the sign is a direction only, else the number itself."""
    return abs(importance) if sign == "signed" else importance


def rank_values(values: Sequence[float]) -> tuple[int, ...]:
    """Return each value's rank, the largest first; equal ones share the smallest of theirs."""
    first: dict[float, int] = {}
    for position, value in enumerate(sorted(values, reverse=True), start=1):
        first.setdefault(value, position)
    return tuple(first[value] for value in values)


def may_follow(rank: int, before: int, place: int, *, equal: bool) -> bool:
    """Whether a rank may come after another, in that place of all: equal importances may share one or not."""
    return rank in (before + 1, place) or (equal and rank == before)


def _find_only_value(name: str, lines: Sequence[Line]) -> str:
    """Return what a column says where it says one thing only: stated once, it holds for all rows."""
    found = {text for line in lines if (text := line.cells.get(name, "").strip())}
    return found.pop() if len(found) == 1 else ""


def _build_row(line: Line, meta: Meta, report: Report) -> Contribution:
    def complain(message: str, hint: str = "") -> None:
        report(line.number, message, hint)

    def number(name: str) -> float | None:
        text = line.cells.get(name, "").strip()
        if text and (value := parse_number(text)) is not None:
            return value
        if text:
            complain(f"{name}: {quote(text)} is no finite number", "decimals have a point, and there are no units")
        return None

    def integer(name: str) -> int | None:
        text = line.cells.get(name, "").strip()
        if text and (value := parse_integer(text)) is not None:
            return value
        if text:
            complain(f"{name}: {quote(text)} is no integer")
        return meta.integers.get(name)

    importance = number("importance")
    if importance is None and not line.cells["importance"].strip():
        complain("importance: is empty", "a variable that has none has 0, or no row")
    texts = {name: line.cells.get(name, "").strip() or meta.texts.get(name, "") for name in TEXTS}
    counts = {name: integer(name) for name in INTEGERS}
    seed = line.cells.get("seed", "").strip() or meta.seed
    row = Contribution(
        feature=line.cells["feature"],
        importance=importance if importance is not None else 0.0,
        std=number("std"),
        rank=integer("rank") or _UNRANKED,
        **texts,
        n_repeats=counts["n_repeats"],
        seed=parse_integer(seed) if seed else None,
        model_id=line.cells.get("model_id", "").strip(),
        description=line.cells.get("description", "").strip(),
        no_seed=read_absence(seed),
    )
    ranked = bool(line.cells.get("rank", "").strip())
    for message, hint in (*_find_misfits(row, ranked=ranked), *_find_seed_misfits(row, seed)):
        complain(message, hint)
    return row


def _find_seed_misfits(row: Contribution, text: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the text that is to be a seed, or to say why there is none."""
    if row.seed is not None or row.no_seed:
        return
    if text and not is_absence(text):
        yield f"seed: {quote(text)} is no integer", _ABSENT_HINT
    else:
        hint = f"fill the column, or give seed in contributions.meta.json; {_ABSENT_HINT}"
        yield _say_unstated("seed", text), hint


def _say_unstated(name: str, text: str) -> str:
    return f"{name}: is not applicable, and no reason says why" if text else f"{name}: is stated nowhere"


def _find_misfits(row: Contribution, *, ranked: bool) -> Iterator[tuple[str, str]]:
    if not row.feature.strip():
        yield "feature: is empty", "every variable has a name"
    if len(row.feature) > LONGEST_NAME:
        yield f"feature: is longer than {LONGEST_NAME} characters", ""
    texts = (row.description, row.method, row.importance_type, row.metric, row.no_seed, row.model_id)
    if any(len(text) > _LONGEST_TEXT for text in texts):
        yield f"a text is longer than {_LONGEST_TEXT} characters", ""
    for name in _STATED:
        if not getattr(row, name):
            absent = f"; {_ABSENT_HINT}" if name == "metric" else ""
            yield _say_unstated(name, ""), f"fill the column, or give {name} in contributions.meta.json{absent}"
    if is_absence(row.metric) and not read_absence(row.metric):
        yield _say_unstated("metric", row.metric), _ABSENT_HINT
    if row.std is not None and row.std < 0:
        yield "std: is negative", ""
    if row.n_repeats is not None and row.n_repeats < 1:
        yield "n_repeats: is less than 1", ""
    if ranked and row.rank < 1:
        yield "rank: counts from 1", ""


def _check_ensemble(models: dict[str, list[_Numbered]], meta: Meta, report: Report) -> None:
    for model, rows in models.items():
        if not model:
            report(rows[0].line, "model_id: is empty, and other rows have one", "name every model of the ensemble")
        elif model not in meta.weights:
            hint = 'add "weights": {"MODEL": NUMBER, …} to contributions.meta.json'
            report(rows[0].line, f"model_id: {quote(model)} has no weight in the ensemble", hint)


def _finish_model(numbered: Sequence[_Numbered], meta: Meta, report: Report) -> list[Contribution]:
    """Check what the variables of one model are to each other, and put them in order."""
    _check_names(numbered, report)
    _check_alike(numbered, report)
    rows = [one.row for one in numbered]
    if meta.sign == "absolute":
        for one in numbered:
            if one.row.importance < 0:
                report(one.line, "importance: is negative, and sign is absolute", "say signed or difference")
    total = math.fsum(row.importance for row in rows)
    if meta.sum_to_one and abs(total - 1) > _SUM_TOLERANCE:
        report(numbered[0].line, f"importance: sums to {total:.6g}, and sum_to_one is true", "")
    return sorted(_rank_rows(numbered, meta.sign, report), key=lambda row: row.rank)


def _check_names(numbered: Sequence[_Numbered], report: Report) -> None:
    first: dict[str, int] = {}
    for one in numbered:
        line = first.setdefault(one.row.feature, one.line)
        if line != one.line:
            report(one.line, f"feature: {quote(one.row.feature)} is in line {line} already", "one row a variable")


def _check_alike(numbered: Sequence[_Numbered], report: Report) -> None:
    reference = numbered[0]
    for name in _STATED:
        wanted = getattr(reference.row, name)
        other = next((one for one in numbered if getattr(one.row, name) != wanted), None)
        if other:
            found = quote(getattr(other.row, name))
            hint = "numbers that are ranked together mean the same; give the others a model_id of their own"
            report(other.line, f"{name}: {found}, and {quote(wanted)} in line {reference.line}", hint)


def _rank_rows(numbered: Sequence[_Numbered], sign: str, report: Report) -> list[Contribution]:
    rows = [one.row for one in numbered]
    values = [rank_value(row.importance, sign) for row in rows]
    if all(row.rank == _UNRANKED for row in rows):
        return [replace(row, rank=rank) for row, rank in zip(rows, rank_values(values), strict=True)]
    unranked = next((one for one in numbered if one.row.rank == _UNRANKED), None)
    if unranked:
        report(unranked.line, "rank: is missing, and other rows have one", "fill the column, or leave it out")
        return rows
    _check_ranks(numbered, values, report)
    return rows


def _check_ranks(numbered: Sequence[_Numbered], values: Sequence[float], report: Report) -> None:
    """Report the first rank that contradicts the importances; equal ones may share a rank or not."""
    ordered = sorted(zip(values, numbered, strict=True), key=lambda pair: (-pair[0], pair[1].row.rank))
    if ordered[0][1].row.rank != 1:
        report(ordered[0][1].line, "rank: is not 1, and no importance is larger", "rank 1 is the largest importance")
        return
    for place, ((larger, before), (smaller, after)) in enumerate(pairwise(ordered), start=2):
        one, other = quote(after.row.feature), quote(before.row.feature)
        if larger > smaller and before.row.rank >= after.row.rank:
            message = f"rank: {one} is {after.row.rank} and {other} {before.row.rank}, which contributes more"
            report(after.line, message, "rank 1 is the largest importance")
            return
        if not may_follow(after.row.rank, before.row.rank, place, equal=larger == smaller):
            message = f"rank: {one} is {after.row.rank}, and the one before it, {other}, {before.row.rank}"
            report(after.line, message, "leave none out, or leave the column out")
            return
