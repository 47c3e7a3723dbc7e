"""Compare two documents part by part."""

from __future__ import annotations

from collections.abc import Iterator

from reprobox.compare.model import Difference, Tolerance
from reprobox.compare.numbers import compare_numbers, compare_scalars
from reprobox.compare.opened import same_pieces
from reprobox.compare.parts import Data, Document, Numbers, Part, describe_scalar

_SHOWN_NAMES = 3


def compare_documents(one: Document, other: Document, tolerance: Tolerance) -> Iterator[Difference]:
    """Yield what differs: names that only one has first, then parts in the first document's order."""
    yield from _compare_names(one, other)
    for name, part in one.items():
        if name in other and (found := compare_parts(name, part, other[name], tolerance)):
            yield found


def _compare_names(one: Document, other: Document) -> Iterator[Difference]:
    for where, names in (("first", one.keys() - other.keys()), ("second", other.keys() - one.keys())):
        if names:
            shown = ", ".join(sorted(names)[:_SHOWN_NAMES])
            rest = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            yield Difference("", f"only the {where} has {shown}{rest}")


def compare_parts(name: str, one: Part, other: Part, tolerance: Tolerance) -> Difference | None:
    """Compare two parts of one name; ``None`` when they are the same."""
    match one, other:
        case Numbers(), Numbers():
            return compare_numbers(name, one, other, tolerance)
        case Data(), Data():
            if one.size == other.size and same_pieces(one.pieces(), other.pieces()):
                return None
            return Difference(name, f"the bytes differ ({one.size} and {other.size} of them)")
        case (Numbers() | Data(), _) | (_, Numbers() | Data()):
            kind, kinds = _describe_kind(one), _describe_kind(other)
            return Difference(name, f"it is {kind} in the first and {kinds} in the second")
        case _:
            assert not isinstance(one, Numbers | Data)
            assert not isinstance(other, Numbers | Data)
            return compare_scalars(name, one, other, tolerance)


def _describe_kind(part: Part) -> str:
    match part:
        case Numbers():
            return "an array"
        case Data():
            return "bytes"
        case _:
            return describe_scalar(part)
