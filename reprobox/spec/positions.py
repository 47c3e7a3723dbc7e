"""A spec together with where each of its keys stands, so that any later step can point at one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reprobox.errors import Problem
from reprobox.spec.model import Spec
from reprobox.spec.values import Value
from reprobox.spec.yaml_nodes import Position


@dataclass(frozen=True)
class LoadedSpec:
    """A valid spec and its file."""

    spec: Spec
    file: str
    positions: Mapping[str, Position]
    """Key path ("frameworks.torch", "packages[0]") -> where its value stands."""

    def locate(self, key: str) -> Position:
        """Return where a key's value stands; of a key that was left out, where its nearest parent stands."""
        while key:
            if key in self.positions:
                return self.positions[key]
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return Position(0, 0)

    def problem(self, key: str, message: str, hint: str = "") -> Problem:
        """Make a problem that points at a key; collect some and raise ``SpecError(tuple(problems))``."""
        where = self.locate(key)
        return Problem(self.file, where.line, where.column, key, message, hint)


def collect_positions(top: Value) -> dict[str, Position]:
    """Return where every value below ``top`` stands, by key path."""
    positions: dict[str, Position] = {}
    waiting = [top]
    while waiting:
        value = waiting.pop()
        if value.key:
            positions[value.key] = value.node.position
        waiting.extend(value.entries().values() or (item for item in value.items() if item is not value))
    return positions
