"""JSON values -> frozen data of ours, by the fields' own annotations; whoever wrote them is not trusted."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any

_LARGEST = 2**1023
"""Whole numbers beyond it are no floats."""


class Misfit(ValueError):
    """A value that is not what its field is for; the text names the key."""


def build_value(wanted: Any, value: object, key: str) -> Any:  # noqa: ANN401 — by the field's own annotation
    """Return ``value`` as the type ``wanted`` asks for; what a later version added is passed over."""
    if is_dataclass(wanted):
        return _build_fields(typing.cast(type, wanted), value, key)
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is tuple:
        items = _expect(value, list, key)
        return tuple(build_value(inner[0], item, f"{key}[{index}]") for index, item in enumerate(items))
    if origin is dict:
        items = _expect(value, dict, key)
        return {name: build_value(inner[1], item, f"{key}.{name}") for name, item in items.items()}
    if origin in (types.UnionType, typing.Union):
        return _build_union(inner, value, key)
    if wanted is Any:
        return value
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return _build_word(wanted, value, key)
    if wanted is float and type(value) is int:
        if abs(value) > _LARGEST:
            raise Misfit(f"{key} is too large")
        return float(value)
    return _expect(value, wanted, key)


def _build_union(options: tuple[Any, ...], value: object, key: str) -> Any:  # noqa: ANN401
    if type(value) in options:
        return value
    others = [one for one in options if one is not types.NoneType]
    if value is not None and len(others) == 1:
        return build_value(others[0], value, key)
    raise Misfit(f"{key} is not what it should be")


def _build_word(wanted: type[StrEnum], value: object, key: str) -> StrEnum:
    try:
        return wanted(_expect(value, str, key))
    except ValueError as exc:
        raise Misfit(f"{key} is not what it should be") from exc


def _build_fields(wanted: type, value: object, key: str) -> Any:  # noqa: ANN401
    data = _expect(value, dict, key or "the record")
    found = {}
    for field, hint, needed in _describe_fields(wanted):
        name = f"{key}.{field}" if key else field
        if field in data:
            found[field] = build_value(hint, data[field], name)
        elif needed:
            raise Misfit(f"{name} is missing")
    return wanted(**found)


@cache
def _describe_fields(wanted: type) -> tuple[tuple[str, Any, bool], ...]:
    """Return name, type and need of each field; a bundle's manifest has a hundred thousand objects of one kind."""
    hints = typing.get_type_hints(wanted)
    return tuple(
        (one.name, hints[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(typing.cast(Any, wanted))
    )


def _expect(value: object, wanted: type, key: str) -> Any:  # noqa: ANN401
    # bool is an int to Python, and to no record.
    if type(value) is not wanted:
        raise Misfit(f"{key} is not what it should be")
    return value
