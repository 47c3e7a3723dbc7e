"""A report as it is read: sections of blocks, in one language, for paper and screen alike."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One value."""

    text: str
    """For people."""
    path: str = ""
    """Where ``report.json`` has it: keys and indices, with dots between."""
    raw: str = ""
    """As JSON has it."""
    code: bool = False
    """Whether it is for copying: a command, a path, a hash."""
    known: bool = True

    @property
    def number(self) -> bool:
        """Whether it is a number as JSON has it."""
        return self.raw[:1].isdigit() or self.raw[:1] == "-"

    @property
    def hash(self) -> bool:
        """Whether it is a hash."""
        return re.fullmatch(r"(sha256:)?[0-9a-f]{64}", self.text) is not None


@dataclass(frozen=True)
class Source:
    """Where a block's facts come from."""

    origin: str
    """"measured", "declared" or nothing."""
    label: str
    traces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Labels with values."""

    title: str
    source: Source
    rows: tuple[tuple[str, Cell], ...]
    kind: str = "facts"


@dataclass(frozen=True)
class Table:
    """Rows under columns."""

    title: str
    source: Source
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"

    @property
    def long(self) -> bool:
        """Whether it is shown in a box of its own on a screen."""
        return len(self.rows) > 30


@dataclass(frozen=True)
class Listing:
    """Text as it stands: commands, a tree."""

    title: str
    source: Source
    lines: tuple[str, ...]
    kind: str = "listing"

    @property
    def long(self) -> bool:
        """Whether it is shown in a box of its own on a screen."""
        return len(self.lines) > 30


@dataclass(frozen=True)
class Paragraphs:
    """Words, a person's as a rule; or, not known, that there are none."""

    title: str
    source: Source
    lines: tuple[str, ...]
    known: bool = True
    kind: str = "paragraphs"


@dataclass(frozen=True)
class Bar:
    """One line of a bar chart."""

    label: str
    cell: Cell
    percent: float
    """Of the longest."""
    tone: str = ""
    """"", "minus" or "bad"."""


@dataclass(frozen=True)
class Bars:
    """A bar chart."""

    title: str
    source: Source
    bars: tuple[Bar, ...]
    caption: str = ""
    kind: str = "bars"


@dataclass(frozen=True)
class Strip:
    """How values spread: a dot each, on one axis."""

    width: int
    height: int
    base: float
    radius: float
    dots: tuple[tuple[float, float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    median: float
    band: tuple[float, float] | None
    """Left end and width."""
    claim: float | None


@dataclass(frozen=True)
class Spread:
    """A picture of one metric over seeds."""

    title: str
    source: Source
    strip: Strip
    caption: str
    kind: str = "spread"


Block = Facts | Table | Listing | Paragraphs | Bars | Spread


@dataclass(frozen=True)
class ItemLine:
    """One item of the checklist."""

    number: int
    name: str
    heading: str
    answer: str
    """"yes", "no" or "n/a"."""
    answer_text: str
    source: Source
    reason: str


@dataclass(frozen=True)
class Section:
    """One heading."""

    key: str
    letter: str
    title: str
    blocks: tuple[Block, ...]
    items: tuple[ItemLine, ...]


@dataclass(frozen=True)
class Document:
    """All of it."""

    language: str
    title: str
    author: str
    head: Facts
    counts: tuple[tuple[str, str, int], ...]
    """Answer, its word, how many items have it."""
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    items: tuple[ItemLine, ...]
    evidence: tuple[tuple[str, str], ...]
    """File and sha256."""
    notes_title: str = ""
    """What stands over the notes; empty: that they are notes."""
