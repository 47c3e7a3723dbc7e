"""Compare two documents part by part."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from reprobox.compare.model import Difference, Tolerance, make_difference
from reprobox.compare.names import show_name
from reprobox.compare.numbers import compare_numbers
from reprobox.compare.opened import same_pieces
from reprobox.compare.parts import Data, Document, Mark, Numbers, Part, describe_scalar
from reprobox.compare.scalars import compare_scalars

_SHOWN_NAMES = 3


def compare_documents(one: Document, other: Document, tolerance: Tolerance) -> Iterator[Difference]:
    """Yield what differs: names that only one has first, then parts in the first document's order."""
    yield from _compare_names(one, other)
    known: dict[tuple[int, int], Difference | None] = {}
    for name, part in one.items():
        if name not in other:
            continue
        pair = id(part), id(other[name])
        if pair not in known or not isinstance(part, Numbers | Data):  # an array with many names is read once
            known[pair] = compare_parts(show_name(name), part, other[name], tolerance)
        if found := known[pair]:
            yield replace(found, part=show_name(name))


def _compare_names(one: Document, other: Document) -> Iterator[Difference]:
    first, second = one.keys() - other.keys(), other.keys() - one.keys()
    for where, names, others in (("first", first, second), ("second", second, first)):
        if names:
            more = "_more" if len(names) > _SHOWN_NAMES else ""
            shown = ", ".join(_show_names(names, others))
            yield make_difference("", f"only_{where}_has{more}", names=shown, more=len(names) - _SHOWN_NAMES)


def _show_names(names: Set[str], others: Set[str]) -> list[str]:
    """Return a few names for people, with backslashes where the other document has one that looks the same."""
    alike = {show_name(name) for name in others}
    few = sorted(names)[:_SHOWN_NAMES]
    return [name if show_name(name) in alike else show_name(name) for name in few]


def compare_parts(name: str, one: Part, other: Part, tolerance: Tolerance) -> Difference | None:
    """Compare two parts of one name; ``None`` when they are the same."""
    match one, other:
        case Numbers(), Numbers():
            return compare_numbers(name, one, other, tolerance)
        case Data(), Data():
            if one.size == other.size and same_pieces(one.pieces(), other.pieces()):
                return None
            return make_difference(name, "bytes", one=one.size, other=other.size)
        case Mark(), Mark():
            shown = {"one": one.describe(), "other": other.describe()}
            return None if one == other else make_difference(name, "values", **shown)
        case (Numbers() | Data() | Mark(), _) | (_, Numbers() | Data() | Mark()):
            kind, kinds = _describe_kind(one), _describe_kind(other)
            return make_difference(name, "kinds", one=kind, other=kinds)
        case _:
            assert not isinstance(one, Numbers | Data | Mark)
            assert not isinstance(other, Numbers | Data | Mark)
            return compare_scalars(name, one, other, tolerance)


def _describe_kind(part: Part) -> str:
    match part:
        case Numbers():
            return "an array"
        case Data():
            return "bytes"
        case Mark():
            return part.describe()
        case _:
            return describe_scalar(part)
