"""The union of what contests and venues ask for: each item yes, no or n/a, with its reason and its origin."""

from __future__ import annotations

from collections.abc import Callable

from reprobox.report import checks_environment, checks_extra, checks_procedure
from reprobox.report.findings import Finding, Parts
from reprobox.report.model import Item
from reprobox.report.values import Heading

Check = Callable[[Parts], Finding]
A, I, U, E, X = Heading  # noqa: E741 — in the contest's order

ITEMS: tuple[tuple[str, Heading, Check], ...] = (
    ("source_version", A, checks_procedure.check_source),
    ("stage_commands", A, checks_procedure.check_stages),
    ("single_command", A, checks_procedure.check_single),
    ("paths", A, checks_procedure.check_paths),
    ("tree", A, checks_procedure.check_tree),
    ("side_effects", A, checks_procedure.check_side_effects),
    ("model", A, checks_procedure.check_model),
    ("predictions", A, checks_procedure.check_predictions),
    ("data", A, checks_procedure.check_data),
    ("contributions", I, checks_extra.check_contributions),
    ("features", I, checks_extra.check_features),
    ("system", U, checks_environment.check_system),
    ("software", U, checks_environment.check_software),
    ("image", U, checks_environment.check_image),
    ("hardware", U, checks_environment.check_hardware),
    ("variables", U, checks_environment.check_variables),
    ("method", U, checks_environment.check_method),
    ("network", X, checks_extra.check_network),
    ("seeds", E, checks_environment.check_seeds),
    ("switches", E, checks_environment.check_switches),
    ("runs", X, checks_extra.check_runs),
    ("time", X, checks_extra.check_time),
    ("disk", X, checks_extra.check_disk),
    ("licence", X, checks_extra.check_licence),
    ("claim", X, checks_extra.check_claim),
    ("background", X, checks_extra.check_background),
)
"""In the order of the union checklist; the position is the item's number."""


def check_items(parts: Parts) -> tuple[Item, ...]:
    """Return every item."""
    return tuple(
        _make_item(number, name, heading, check(parts)) for number, (name, heading, check) in enumerate(ITEMS, 1)
    )


def _make_item(number: int, name: str, heading: Heading, found: Finding) -> Item:
    return Item(number, name, heading, found.answer, found.origin, found.reason, found.trace)
