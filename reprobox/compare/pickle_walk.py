"""Go through what a pickle describes and name every number, text and array by the way to it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import islice

from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Data, Numbers, Part, Parts, describe_scalar
from reprobox.compare.pickle_values import Blob, Call, Global, Persistent, Sequence, Table, Value
from reprobox.compare.pickled_arrays import read_bytes

_LONG_LIST = 16
"""Lists of as many numbers and more are compared as arrays."""
_MOST_DEEP = 200
_LONGEST_NAME = 200
_PARAMETER = Global("torch._utils _rebuild_parameter")
"""Wraps a tensor; what it adds is whether gradients are wanted."""

Special = Callable[[Call | Persistent], Part | None]
"""Knows what a call would make, or what something kept elsewhere is; ``None`` where it does not."""


def list_parts(value: Value, special: Special, file: Opened) -> dict[str, Part]:
    """Return every number, text and array of what a pickle describes, in its order, named by the way to it."""
    return _Walk(special, file).run(value)


class _Walk:
    """Goes through what a pickle describes, each object once, and names what it finds by the way to it."""

    def __init__(self, special: Special, file: Opened) -> None:
        self._special = special
        self._file = file
        self._parts = Parts()
        self._seen: set[int] = set()

    def run(self, value: Value) -> dict[str, Part]:
        """Return every number, text and array, in the order of the pickle."""
        waiting: list[Iterator[tuple[str, Value]]] = [iter((("", value),))]
        while waiting:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                continue
            name, one = following
            inner = self._visit(name[-_LONGEST_NAME:], one)
            if inner is not None:
                waiting.append(inner)
                if len(waiting) > _MOST_DEEP:
                    raise NotComparable("what it holds is nested too deep")
        return self._parts.found

    def _visit(self, name: str, value: Value) -> Iterator[tuple[str, Value]] | None:
        """Keep a value; return what is in it, if anything is."""
        match value:
            case Sequence() | Table() | Call() | Persistent():
                if id(value) in self._seen:
                    return None
                self._seen.add(id(value))
                return self._open(name, value)
            case Blob():
                self._parts.add(name, Data(value.size, read_bytes(value, self._file)))
            case Global():
                self._parts.add(name, value.name)
            case bool() | int() | float() | str() | bytes() | None:
                self._parts.add(name, value)
            case _:
                raise NotComparable("its opcodes make no sense")
        return None

    def _open(self, name: str, value: Sequence | Table | Call | Persistent) -> Iterator[tuple[str, Value]] | None:
        match value:
            case Sequence():
                return self._open_sequence(name, value)
            case Table():
                return _name_items(name, value.items)
            case Persistent() | Call():
                return self._open_call(name, value)

    def _open_sequence(self, name: str, value: Sequence) -> Iterator[tuple[str, Value]] | None:
        items = value.items
        if packed := _pack_numbers(items):
            self._parts.add(name, packed)
            return None
        if value.kind == "set" and all(isinstance(one, str | int | bytes) for one in items):
            items = sorted(items, key=lambda one: (type(one).__name__, one))  # its order means nothing
        if not items:
            self._parts.add(name, f"an empty {value.kind}")
        return ((f"{name}[{index}]", one) for index, one in enumerate(items))

    def _open_call(self, name: str, value: Call | Persistent) -> Iterator[tuple[str, Value]] | None:
        if (part := self._special(value)) is not None:
            self._parts.add(name, part)
            return None
        if isinstance(value, Persistent):
            return iter(((f"{name}.storage", value.key),))
        if value.function == _PARAMETER:
            return iter(((name, value.arguments.items[0]),))
        return self._open_object(name, value)

    def _open_object(self, name: str, call: Call) -> Iterator[tuple[str, Value]]:
        yield f"{name}.<class>" if name else "<class>", call.function
        arguments = call.arguments.items if isinstance(call.arguments, Sequence) else [call.arguments]
        for index, one in enumerate(arguments):
            yield f"{name}({index})", one
        if isinstance(call.state, Table):
            yield from _name_items(name, call.state.items)
        elif call.state is not None:
            yield f"{name}.<state>", call.state
        for index, one in enumerate(call.items):
            yield f"{name}[{index}]", one
        yield from _name_items(name, call.table)
        if call.attached is not None:
            yield f"{name}.<array>", call.attached


def _name_items(name: str, items: list[tuple[Value, Value]]) -> Iterator[tuple[str, Value]]:
    if all(isinstance(key, str) for key, _ in items):
        for key, one in items:
            yield (f"{name}.{key}" if name else key), one
        return
    for index, (key, one) in enumerate(items):
        if isinstance(key, str | int | float | bytes):
            yield f"{name}[{describe_scalar(key)}]", one
        else:
            yield f"{name}[key {index}]", key
            yield f"{name}[key {index}].value", one


def _pack_numbers(items: list[Value]) -> Numbers | None:
    """Return a long list of numbers of one kind as an array."""
    if len(items) < _LONG_LIST:
        return None
    kinds = {type(one) for one in islice(items, _LONG_LIST)}
    if kinds not in ({int}, {float}) or not all(type(one) in kinds for one in items):
        return None
    try:
        data = array("d" if kinds == {float} else "q", items).tobytes()
    except OverflowError:
        return None
    return Numbers("<f8" if kinds == {float} else "<i8", (len(items),), lambda: iter((data,)))
