"""Values that JSON has no word for, made into ones that it has."""

from __future__ import annotations

import math
from collections.abc import Mapping

JsonObject = dict[str, object]


def name_non_finite(values: Mapping[str, object]) -> JsonObject:
    """Return a copy in which every number that JSON lacks, however deep, is its name: ``"nan"``, ``"inf"``, ``"-inf"``.

    Tuples become lists.
    """
    return {key: _name(value) for key, value in values.items()}


def _name(value: object) -> object:
    match value:
        case dict():
            return name_non_finite(value)
        case list() | tuple():
            return [_name(inner) for inner in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
