"""What a permutation has found out so far, kept so that one that ends early is gone on with."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

from reprobox.files import write_atomic

_SCHEMA = 1


class Progress:
    """The importance of each column and repeat that has been run, in a file.

    ``question`` is everything that they depend on: those of another question are nothing here.
    """

    def __init__(self, path: Path, question: object) -> None:
        self._path = path
        self._question = hashlib.sha256(json.dumps(question).encode()).hexdigest()
        self._values = self._read()

    def find(self, column: str, repeat: int) -> float | None:
        """Return an importance that is known."""
        return self._values.get((column, repeat))

    def keep(self, column: str, repeat: int, importance: float) -> None:
        """Write one down."""
        self._values[column, repeat] = importance
        values = [[*key, value] for key, value in self._values.items()]
        data = {"schema_version": _SCHEMA, "question": self._question, "values": values}
        write_atomic(self._path, json.dumps(data))

    def _read(self) -> dict[tuple[str, int], float]:
        try:
            data = json.loads(self._path.read_bytes())
            if (data["schema_version"], data["question"]) != (_SCHEMA, self._question):
                return {}
            found = {(str(column), int(repeat)): float(value) for column, repeat, value in data["values"]}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}  # it is only time that is lost
        return {key: value for key, value in found.items() if math.isfinite(value)}
