"""What comparing two files comes to, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from reprobox.languages import Language, Reason, Said, load_language, make_reason

GROUP = "compared"
"""Where the languages have the sentences of differences."""


class NotComparable(Exception):
    """A file cannot be read as what it says it is; the sentence is the reason, without the file's name."""

    def __init__(self, key: str, **values: str | int) -> None:
        self.reason = make_reason(key, **values)
        super().__init__(self.reason)

    def __str__(self) -> str:
        return load_language("en").fill(self.reason, GROUP)


@dataclass(frozen=True)
class Tolerance:
    """How far apart two floating-point numbers may be: ``|a - b| <= absolute + relative * |a|``, ``a`` the first run's.

    Whole numbers, labels and texts have none: they are equal or they differ.
    """

    relative: float = 0.0
    absolute: float = 0.0


class Result(StrEnum):
    """What became of one file."""

    SAME_BYTES = "same bytes"
    SAME_CONTENT = "same content"
    """The bytes differ in what is no content: times in an archive, the order of keys."""
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class NumberDifference:
    """How the numbers of an array or a column differ."""

    compared: int
    differing: int
    beyond: int
    """How many of them are outside the tolerance; all of them where there is none."""
    max_absolute: float
    max_relative: float
    """Relative to the first file's number; infinite where that is 0."""
    max_ulp: int | None
    """Steps between neighbouring floating-point numbers; ``None`` for whole numbers, and where one is no number."""
    first: str
    """Where the first one is: "[2, 0, 5]", "row 7"."""


@dataclass(frozen=True)
class Difference:
    """One part of two files that differs."""

    part: str
    """The tensor, column, key or member; empty for the file as a whole."""
    said: Said
    """What differs, by its keys; it says it all where there are no numbers."""
    numbers: NumberDifference | None = None

    def tell(self, language: Language) -> str:
        """Return what differs, in one line."""
        return language.tell(self.said, GROUP)

    @property
    def what(self) -> str:
        """What differs, as terminal and records have it."""
        return self.tell(load_language("en"))

    def to_json(self) -> dict[str, object]:
        """Return what records keep; a number may be none that JSON has."""
        return {"part": self.part, "what": self.what, "numbers": asdict(self.numbers) if self.numbers else None}

    @property
    def tolerable(self) -> bool:
        """Whether all of it lies within the tolerance."""
        return self.numbers is not None and self.numbers.beyond == 0


@dataclass(frozen=True)
class Remark:
    """Why a file, or one that is packed in it, was not compared, or by its bytes alone."""

    reason: Reason
    member: str = ""
    """The one that is packed in it."""

    def tell(self, language: Language) -> str:
        """Return it in one line."""
        text = language.fill(self.reason, GROUP)
        return f"{self.member}: {text}" if self.member else text


def make_remark(key: str, **values: str | int) -> tuple[Remark, ...]:
    """Return one remark on a whole file."""
    return (Remark(make_reason(key, **values)),)


@dataclass(frozen=True)
class FileComparison:
    """One file of two runs."""

    format: str
    """What it was read as: "npz", "csv", …; "bytes" where nothing better is known."""
    result: Result
    parts: int
    """How many tensors, columns, keys or lines were looked at."""
    differences: tuple[Difference, ...] = ()
    """In the file's own order, the first ``MOST_DIFFERENCES``."""
    differing_parts: int = 0
    tolerable: bool = False
    """Whether every difference lies within the tolerance."""
    remarks: tuple[Remark, ...] = ()
    """The reason for NOT_COMPARABLE; or that the format is not known and only the bytes were compared."""

    def tell_remarks(self, language: Language) -> str:
        """Return the remarks in one line, empty where there are none."""
        return "; ".join(one.tell(language) for one in self.remarks)

    @property
    def note(self) -> str:
        """The remarks, as terminal and records have them."""
        return self.tell_remarks(load_language("en"))

    def to_json(self) -> dict[str, object]:
        """Return what records keep; a number may be none that JSON has."""
        own = {name: value for name, value in vars(self).items() if name not in ("differences", "remarks")}
        return {**own, "note": self.note, "differences": [one.to_json() for one in self.differences]}


MOST_DIFFERENCES = 50


def make_difference(part: str, key: str, **values: str | int) -> Difference:
    """Return a difference that one sentence tells."""
    return Difference(part, (make_reason(key, **values),))
