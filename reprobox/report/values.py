"""The kinds of values that a report has; the published schema is made of their annotations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated


@dataclass(frozen=True)
class Rule:
    """What a value's text or number must be like, in JSON Schema's words."""

    schema: tuple[tuple[str, str | int | float], ...]


Text = Annotated[str, Rule((("pattern", r"\S"),))]
"""A text with something in it."""
# Python's "$" lets a line end stand behind it.
Sha256 = Annotated[str, Rule((("pattern", "^[0-9a-f]{64}$"), ("maxLength", 64)))]
Digest = Annotated[str, Rule((("pattern", "^sha256:[0-9a-f]{64}$"), ("maxLength", 71)))]
Commit = Annotated[str, Rule((("pattern", "^([0-9a-f]{40}|[0-9a-f]{64})$"), ("maxLength", 64)))]
Count = Annotated[int, Rule((("minimum", 0),))]
Positive = Annotated[int, Rule((("minimum", 1),))]
Seconds = Annotated[float, Rule((("minimum", 0),))]
Rate = Annotated[float, Rule((("minimum", 0), ("maximum", 1)))]


class Origin(StrEnum):
    """Where a fact comes from."""

    MEASURED = "measured"
    """Recorded by the program."""
    DECLARED = "declared"
    """Written by a person."""


class Answer(StrEnum):
    """Whether an item of the checklist is there."""

    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "n/a"


class Heading(StrEnum):
    """The contest's four headings, and what other venues ask for besides."""

    A_PROCEDURE = "a_procedure"
    I_CONTRIBUTIONS = "i_contributions"
    U_ENVIRONMENT = "u_environment"
    E_SEED = "e_seed"
    EXTRA = "extra"


class Role(StrEnum):
    """What an output is for, as a person says."""

    MODEL = "model"
    PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Trace:
    """Where a fact can be looked up."""

    file: Text
    """Relative to the spec's folder; "git" is the version control itself."""
    key: str
    """Inside the file; empty: the whole of it."""
    sha256: Sha256 | None
    """Of the file."""


@dataclass(frozen=True)
class Statement:
    """What a person says."""

    origin: Origin
    trace: tuple[Trace, ...]
    text: Text
