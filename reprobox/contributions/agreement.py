"""How far the contributions of two runs agree: in their order, never in their bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reprobox.contributions.model import Contribution, Contributions, Status
from reprobox.contributions.rows import rank_value
from reprobox.reporting import format_count
from reprobox.streams import escape_unprintable

TOP = 10
MEANING = "Spearman: 1 is the same order, 0 none in common, -1 the reverse"


@dataclass(frozen=True)
class Agreement:
    """Two runs' contributions in one model."""

    model_id: str
    shared: int
    """Variables that both have; the correlation is over these."""
    only_a: int
    only_b: int
    spearman: float | None
    """Of the ranks, equal ones averaged; ``None`` for fewer than two variables, or where all are equal."""
    top: int
    """How many of the largest are set against each other: ten, or fewer where a run has fewer."""
    top_shared: int
    """How many of these both runs have among theirs."""
    note: str = ""
    """Why the numbers do not mean the same in both."""


@dataclass(frozen=True)
class Comparison:
    """What two runs' contributions come to."""

    agreements: tuple[Agreement, ...]
    note: str = ""
    """Why there are none, or what else is to be said."""


def compare_contributions(a: Contributions, b: Contributions, top: int = TOP) -> Comparison:
    """Compare model by model; a model that one of them lacks is named in the note."""
    if a.status is not b.status:
        return Comparison((), f"{_name_status(a)} in one run, {_name_status(b)} in the other")
    if a.status is not Status.COMPUTED:
        return Comparison((), f"{_name_status(a)} in both runs")
    models_a, models_b = _group_models(a), _group_models(b)
    both = [model for model in models_a if model in models_b]
    lone = sorted((models_a.keys() | models_b.keys()) - set(both))
    sign = a.sign if a.sign == b.sign else ""
    agreements = tuple(_compare_model(model, models_a[model], models_b[model], sign, top) for model in both)
    return Comparison(agreements, f"only one run has model {', '.join(map(repr, lone))}" if lone else "")


def describe_comparison(found: Comparison) -> Iterator[str]:
    """Yield a line a model, and what else is to be said."""
    for one in found.agreements:
        yield f"contributions{_name_model(one)}: {_describe_numbers(one)}"
    if found.note:
        yield f"contributions: {found.note}"


def find_least(found: Sequence[Comparison]) -> Comparison:
    """Return, of several runs against the same one, each model's smallest agreement, and every note."""
    least: dict[str, Agreement] = {}
    for one in (agreement for comparison in found for agreement in comparison.agreements):
        known = least.setdefault(one.model_id, one)
        if _order(one) < _order(known):
            least[one.model_id] = one
    notes = dict.fromkeys(comparison.note for comparison in found if comparison.note)
    return Comparison(tuple(least.values()), "; ".join(notes))


def correlate_ranks(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Spearman's correlation of two equally long lists, ties averaged; ``None`` where it is not defined."""
    ranks_a, ranks_b = _double_ranks(a), _double_ranks(b)
    n = len(ranks_a)
    # In integers, so that the same order is exactly 1.
    products = n * sum(x * y for x, y in zip(ranks_a, ranks_b, strict=True)) - sum(ranks_a) * sum(ranks_b)
    squares_a, squares_b = (n * sum(x * x for x in ranks) - sum(ranks) ** 2 for ranks in (ranks_a, ranks_b))
    if not squares_a or not squares_b:
        return None
    return products / (squares_a if squares_a == squares_b else math.sqrt(squares_a * squares_b))


def _double_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the average rank of each value: an integer."""
    ordered = sorted(range(len(values)), key=lambda index: values[index])
    ranks = [0] * len(values)
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or values[ordered[end]] != values[ordered[start]]:
            for index in ordered[start:end]:
                ranks[index] = start + end + 1
            start = end
    return ranks


def _group_models(found: Contributions) -> dict[str, dict[str, Contribution]]:
    models: dict[str, dict[str, Contribution]] = {}
    for row in found.rows:
        models.setdefault(row.model_id, {})[row.feature] = row
    return models


def _compare_model(
    model: str, a: dict[str, Contribution], b: dict[str, Contribution], sign: str, top: int
) -> Agreement:
    shared = [name for name in a if name in b]
    values = [[rank_value(rows[name].importance, sign) for name in shared] for rows in (a, b)]
    most = min(top, len(a), len(b))
    tops = [set(_list_top(rows, sign)[:most]) for rows in (a, b)]
    return Agreement(
        model_id=model,
        shared=len(shared),
        only_a=len(a) - len(shared),
        only_b=len(b) - len(shared),
        spearman=correlate_ranks(values[0], values[1]),
        top=most,
        top_shared=len(tops[0] & tops[1]),
        note=_find_mismatch(next(iter(a.values())), next(iter(b.values()))),
    )


def _list_top(rows: dict[str, Contribution], sign: str) -> list[str]:
    # By name among equals, so that both runs choose the same.
    return sorted(rows, key=lambda name: (-rank_value(rows[name].importance, sign), name))


def _find_mismatch(a: Contribution, b: Contribution) -> str:
    for name in ("method", "importance_type", "data_split", "metric"):
        one, other = getattr(a, name), getattr(b, name)
        if one != other:
            return f"{name} is {one or 'none'} in one run, {other or 'none'} in the other"
    return ""


def _order(one: Agreement) -> tuple[float, int]:
    return (2.0 if one.spearman is None else one.spearman, one.top_shared)


def _describe_numbers(one: Agreement) -> str:
    if one.spearman is None:
        order = f"no order to compare in {format_count(one.shared, 'variable')}"
    else:
        order = f"Spearman {_format_correlation(one.spearman)}"
    lone = one.only_a + one.only_b
    parts = [order, f"top {one.top}: {one.top_shared} the same"]
    parts += [f"{format_count(lone, 'variable')} only in one run"] if lone else []
    parts += [escape_unprintable(one.note)] if one.note else []
    return ", ".join(parts)


def _format_correlation(value: float) -> str:
    """Write four digits at most, and 1 for nothing but 1."""
    cut = value if value == 1 else min(value, 0.9999)
    return f"{cut:.4f}".rstrip("0").rstrip(".")


def _name_model(one: Agreement) -> str:
    return f" of {escape_unprintable(one.model_id)}" if one.model_id else ""


def _name_status(one: Contributions) -> str:
    return one.status.value.replace("_", " ")
