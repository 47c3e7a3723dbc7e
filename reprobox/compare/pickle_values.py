"""What a pickle describes, as inert data: names of what it would import, calls that it would make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Value = Any
"""A number, text, truth value, ``None``, short bytes, or one of the classes below."""


@dataclass(frozen=True)
class Blob:
    """Bytes that lie in the file."""

    offset: int
    size: int


@dataclass(frozen=True)
class Global:
    """A name that unpickling would import."""

    name: str


@dataclass(eq=False)
class Sequence:
    """A list, tuple or set."""

    kind: str
    items: list[Value] = field(default_factory=list)


@dataclass(eq=False)
class Table:
    """A dict."""

    items: list[tuple[Value, Value]] = field(default_factory=list)


@dataclass(eq=False)
class Call:
    """An object that unpickling would make by a call, and what would be put into it then."""

    function: Value
    arguments: Value
    state: Value = None
    items: list[Value] = field(default_factory=list)
    table: list[tuple[Value, Value]] = field(default_factory=list)
    attached: Value = None
    """Joblib's arrays: a Blob behind the opcodes, or what a pickle of its own describes."""


@dataclass(eq=False)
class Persistent:
    """Something kept outside the pickle: a tensor's storage."""

    key: Value
