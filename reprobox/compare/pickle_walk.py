"""Go through what a pickle describes and name every number, text and array by the way to it."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from itertools import islice

from reprobox.compare.model import NotComparable
from reprobox.compare.names import join_key, join_own, shorten_name
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Data, Mark, Numbers, Part, Parts
from reprobox.compare.pickle_values import Blob, Call, Global, Persistent, Sequence, Table, Value
from reprobox.compare.pickled_arrays import read_bytes

_LONG_LIST = 16
"""Lists of as many numbers and more are compared as arrays."""
_MOST_DEEP = 200
_MOST_REPEATED = 50_000
"""Values that are gone through again, being in objects that other objects share."""
_MOST_REPEATED_BYTES = 1 << 32
"""Of arrays that other objects share."""
_PARAMETER = Global("torch._utils _rebuild_parameter")
"""Wraps a tensor; what it adds is whether gradients are wanted."""

Special = Callable[[Call | Persistent], Part | None]
"""Knows what a call would make, or what something kept elsewhere is; ``None`` where it does not."""
Object = Sequence | Table | Call | Persistent | Blob
Inner = Iterator[tuple[str, Value]]


def list_parts(value: Value, special: Special, file: Opened) -> dict[str, Part]:
    """Return every number, text and array of what a pickle describes, in its order, named by the way to it.

    An object that several others share has a name, and its parts, in each of them, as copies of it would; in a
    cycle, and where that is too much, only a mark that says where it was first.
    """
    return _Walk(special, file).run(value)


class _Walk:
    """Goes through what a pickle describes, and names what it finds by the way to it."""

    def __init__(self, special: Special, file: Opened) -> None:
        self._special = special
        self._file = file
        self._parts = Parts()
        self._first: dict[int, str] = {}
        """By object: where it was first."""
        self._around: dict[int, str] = {}
        """The objects that are being gone through: whoever is in them and holds one closes a cycle."""
        self._leaves: dict[int, Part] = {}
        self._room = _MOST_REPEATED
        self._room_bytes = _MOST_REPEATED_BYTES

    def run(self, value: Value) -> dict[str, Part]:
        """Return every number, text and array, in the order of the pickle."""
        waiting: list[tuple[Inner, int]] = [(iter((("", value),)), 0)]
        while waiting:
            inner, owner = waiting[-1]
            following = next(inner, None)
            if following is None:
                waiting.pop()
                self._around.pop(owner, None)
                continue
            name, one = following
            found = self._visit(shorten_name(name), one)
            if found is not None:
                waiting.append((found, id(one)))
                if len(waiting) > _MOST_DEEP:
                    raise NotComparable("nested_deep")
        return self._parts.found

    def _visit(self, name: str, value: Value) -> Inner | None:
        """Keep a value; return what is in it, if anything is."""
        match value:
            case Sequence() | Table() | Call() | Persistent() | Blob():
                return self._visit_object(name, value)
            case Global():
                self._parts.add(name, Mark("the name", value.name))
            case bool() | int() | float() | str() | bytes() | None:
                self._parts.add(name, value)
            case _:
                raise NotComparable("opcodes_nonsense")
        return None

    def _visit_object(self, name: str, value: Object) -> Inner | None:
        key = id(value)
        same = self._around.get(key)
        if same is None and key in self._first and not self._afford(value):
            same = self._first[key]
        if same is not None:
            self._parts.add(name, Mark("the same as", same or "the whole"))
            return None
        self._first.setdefault(key, name)
        self._add_kind(name, value)
        leaf = self._leaves[key] if key in self._leaves else self._make_leaf(value)
        if leaf is not None:
            self._leaves[key] = leaf
            self._parts.add(name, leaf)
            return None
        self._around[key] = name
        return self._open(name, value)

    def _afford(self, value: Object) -> bool:
        """Whether a shared object can be gone through once more."""
        leaf = self._leaves.get(id(value))
        room, room_bytes = self._room - _count_inner(value, leaf), self._room_bytes - _count_bytes(leaf)
        if room < 0 or room_bytes < 0:
            return False
        self._room, self._room_bytes = room, room_bytes
        return True

    def _add_kind(self, name: str, value: Object) -> None:
        """Add what the names of inner values do not tell."""
        match value:
            case Sequence():
                self._parts.add(join_own(name, "kind"), Mark(f"a {value.kind}"))
            case Table():
                self._parts.add(join_own(name, "kind"), Mark("a dict"))
            case Call(items=items, table=table) if items and table:
                self._parts.add(join_own(name, "kind"), Mark(f"{len(items)} items and {len(table)} keys"))
            case Call(items=items, table=table) if items or table:
                self._parts.add(join_own(name, "kind"), Mark("items" if items else "keys"))

    def _make_leaf(self, value: Object) -> Part | None:
        """Return an object that is looked at as a whole."""
        match value:
            case Blob():
                return Data(value.size, read_bytes(value, self._file))
            case Sequence():
                return _pack_numbers(_sort_items(value))
            case Call() | Persistent():
                return self._special(value)
            case Table():
                return None

    def _open(self, name: str, value: Object) -> Inner:
        match value:
            case Sequence():
                return ((f"{name}[{index}]", one) for index, one in enumerate(_sort_items(value)))
            case Table():
                return _name_items(name, value.items)
            case Persistent():
                return iter(((join_own(name, "storage"), value.key),))
            case Call():
                return _open_call(name, value)
            case Blob():
                return iter(())


def _open_call(name: str, call: Call) -> Inner:
    if call.function == _PARAMETER:
        return iter(((name, call.arguments.items[0]),))
    return _open_object(name, call)


def _open_object(name: str, call: Call) -> Inner:
    yield join_own(name, "class"), call.function
    arguments = call.arguments.items if isinstance(call.arguments, Sequence) else [call.arguments]
    for index, one in enumerate(arguments):
        yield f"{name}({index})", one
    if isinstance(call.state, Table) and call.state.items and not call.items and not call.table:
        yield from _name_items(name, call.state.items)
    elif call.state is not None:
        yield join_own(name, "state"), call.state
    for index, one in enumerate(call.items):
        yield f"{name}[{index}]", one
    yield from _name_items(name, call.table)
    if call.attached is not None:
        yield join_own(name, "array"), call.attached


def _name_items(name: str, items: list[tuple[Value, Value]]) -> Inner:
    if all(isinstance(key, str) for key, _ in items):
        for key, one in items:
            yield join_key(name, key), one
        return
    for index, (key, one) in enumerate(items):
        if isinstance(key, str | int | float | bytes | None):
            yield f"{name}[{_write_key(key)}]", one
        else:
            yield f"{name}[key {index}]", key
            yield f"{name}[value {index}]", one


def _write_key(key: str | float | bytes | None) -> str:
    # Python writes no whole number of more than 4300 digits.
    return hex(key) if isinstance(key, int) and key.bit_length() > 200 else repr(key)


def _sort_items(value: Sequence) -> list[Value]:
    """Return the items in an order that means something; a set's has no meaning."""
    if "set" not in value.kind or not all(isinstance(one, str | int | float | bytes | None) for one in value.items):
        return value.items
    if any(one != one for one in value.items):
        return value.items
    return sorted(value.items, key=lambda one: (type(one).__name__, one))


def _count_inner(value: Object, leaf: Part | None) -> int:
    """Return how many values are gone through with an object, without those in the inner ones."""
    match value:
        case Sequence(items=items) | Table(items=items) if leaf is None:
            return 1 + len(items)
        case Call() if leaf is None:
            held = [one.items for one in (value.arguments, value.state) if isinstance(one, Sequence | Table)]
            return 4 + sum(map(len, (*held, value.items, value.table)))
        case _:
            return 1


def _count_bytes(leaf: Part | None) -> int:
    """Return about how many bytes a part has, or more."""
    match leaf:
        case Data():
            return leaf.size
        case Numbers():
            found = re.search(r"\d+", leaf.dtype)
            return leaf.count * 4 * int(found[0] if found else 4)
        case _:
            return 0


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
