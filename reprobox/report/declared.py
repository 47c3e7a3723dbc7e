"""What a person says in ``report.yaml``, as data; nothing in it changes a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reprobox.errors import Problem
from reprobox.report.values import Origin, Role, Statement, Trace
from reprobox.source import DECLARED_FILE
from reprobox.spec.yaml_nodes import Position


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The score that the entry is said to have."""

    metric: str
    value: float
    where: str = ""
    """"private leaderboard", "validation split", …"""


@dataclass(frozen=True, kw_only=True)
class Licences:
    """Under which terms others may use it."""

    code: str | None = None
    model: str | None = None
    data: str | None = None


@dataclass(frozen=True, kw_only=True)
class InputSaid:
    """What a person says of an input."""

    rows: int | None = None
    split: str | None = None


@dataclass(frozen=True, kw_only=True)
class HardwareSaid:
    """What a person says of the machine."""

    host_networking: str | None = None
    accelerator_interconnect: str | None = None
    accelerator_memory_needed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Everything that is said; ``None`` and empty is what is not said."""

    title: str | None = None
    author: str | None = None
    method: str | None = None
    hyperparameters: str | None = None
    feature_selection: str | None = None
    side_effects: str | None = None
    assumptions: str | None = None
    external_data: str | None = None
    inputs: dict[str, InputSaid] = field(default_factory=dict)
    """By the name that the spec gives them."""
    hardware: HardwareSaid | None = None
    metrics: dict[str, str] = field(default_factory=dict)
    """What each means."""
    licence: Licences | None = None
    claim: Claim | None = None
    outputs: dict[Role, tuple[str, ...]] = field(default_factory=dict)
    """Role -> globs of the outputs that have it."""
    contributions: str | None = None
    """Why the method has none."""
    randomness: str | None = None
    """Why the method has none."""
    background: str | None = None


@dataclass(frozen=True)
class DeclaredFile:
    """A ``report.yaml`` that was read, or that is not there."""

    declared: Declared = Declared()
    file: str = DECLARED_FILE
    """As messages name it."""
    sha256: str | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)

    def trace(self, key: str) -> tuple[Trace, ...]:
        """Return where a key is said."""
        return (Trace(DECLARED_FILE, key, self.sha256),)

    def state(self, key: str) -> Statement | None:
        """Return the text of a key as a statement."""
        text: str | None = getattr(self.declared, key)
        return Statement(Origin.DECLARED, self.trace(key), text) if text else None

    def problem(self, key: str, message: str, hint: str) -> Problem:
        """Return a problem that points at a key."""
        where = self.positions.get(key, Position(0, 0))
        return Problem(self.file, where.line, where.column, key, message, hint)
