"""Contributions for people: what the numbers mean, then the variables, the largest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from reprobox.contributions.absence import write_absence
from reprobox.contributions.model import Contribution, Contributions, Status
from reprobox.streams import escape_unprintable

_MOST_ROWS = 30
_WIDEST = 40


def describe_contributions(found: Contributions) -> str:
    """Return a block for each model; or why there are none."""
    if found.status is not Status.COMPUTED:
        return f"contributions: {found.status.value.replace('_', ' ')}: {escape_unprintable(found.reason)}"
    return "\n".join(
        line
        for model, rows in groupby(found.rows, key=lambda row: row.model_id)
        for line in _describe_model(model, tuple(rows), found)
    )


def _describe_model(model: str, rows: tuple[Contribution, ...], found: Contributions) -> Iterator[str]:
    weight = f", weight {found.weights[model]:g}" if model in found.weights else ""
    if model:
        yield f"model    {escape_unprintable(model)}{weight}"
    yield f"what     {escape_unprintable(_describe_facts(rows[0], found))}"
    width = min(max(len(_name(row)) for row in rows), _WIDEST)
    for row in rows[:_MOST_ROWS]:
        spread = f" ± {row.std:.3g}" if row.std is not None else ""
        yield f"{row.rank:>4}  {_name(row):{width}}  {row.importance:>12.6g}{spread}".rstrip()
    if len(rows) > _MOST_ROWS:
        yield f"      … and {len(rows) - _MOST_ROWS} more"


def _describe_facts(row: Contribution, found: Contributions) -> str:
    facts = [row.importance_type, f"method {row.method}", f"on {row.data_split}"]
    facts += [f"{row.n_repeats} repeats"] if row.n_repeats is not None else []
    facts += [f"metric {row.metric}"]
    facts += [f"seed {row.seed}" if row.seed is not None else f"seed {write_absence(row.no_seed)}"]
    facts += [found.library] if found.library else []
    return ", ".join(facts)


def _name(row: Contribution) -> str:
    name = escape_unprintable(row.feature)
    return name if len(name) <= _WIDEST else name[: _WIDEST - 1] + "…"
