"""What a file holds, whatever its format: named parts that can be compared one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from reprobox.compare.model import NotComparable

Pieces = Callable[[], Iterator[bytes]]
MOST_PARTS = 400_000
_SHOWN = 60
_LONGEST_MARK = 200


@dataclass(frozen=True)
class Numbers:
    """An array: its elements one after the other, as they lie in the file."""

    dtype: str
    """As NumPy writes it, "<f4"; a structure's fields behind its size; or a type that NumPy has not, "bfloat16"."""
    shape: tuple[int, ...]
    pieces: Pieces
    order: str = "C"
    """"C" or "F" where there are two axes or more; or how the elements are picked from a storage that is all here."""

    @property
    def count(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Data:
    """Bytes that nothing more is known of."""

    size: int
    pieces: Pieces


@dataclass(frozen=True)
class Mark:
    """What a file says without a value: that a list is here, the name of a function, that something was here before."""

    kind: str
    text: str = ""

    def describe(self) -> str:
        """Return it short enough for one line."""
        text = f"{self.kind} {self.text}".rstrip()
        return text if len(text) <= _LONGEST_MARK else f"{text[:_LONGEST_MARK]}…"


Scalar = bool | int | float | Decimal | str | bytes | None
Part = Numbers | Data | Mark | Scalar
Document = Mapping[str, Part]
"""Parts by name, as ``names`` writes them, in the file's order; two documents with other names differ."""


def describe_scalar(value: Scalar) -> str:
    """Return a value short enough for one line."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a whole number of {value.bit_length()} bits"
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class Parts:
    """Collects a document, with no name twice and not more of them than fit into memory."""

    def __init__(self) -> None:
        self.found: dict[str, Part] = {}
        self._taken: dict[str, int] = {}

    def add(self, name: str, part: Part) -> None:
        """Add a part; a name that is taken gets a number."""
        if len(self.found) >= MOST_PARTS:
            raise NotComparable("parts_more", most=MOST_PARTS)
        chosen = name
        while chosen in self.found:
            self._taken[name] = count = self._taken.get(name, 1) + 1
            chosen = f"{name} ({count})"
        self.found[chosen] = part
