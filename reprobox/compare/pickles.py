"""Read a pickle's opcodes into what they describe; nothing they name is looked up, imported or called."""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened
from reprobox.compare.pickle_values import Blob, Call, Global, Persistent, Sequence, Table, Value
from reprobox.compare.pickled_types import describe_type, item_size, list_shape
from reprobox.compare.tape import Tape

_MOST_OPCODES = 3_000_000
_LONG_BYTES = 1 << 16
"""Bytes strings from here on stay in the file."""
_MOST_NESTED = 4


@dataclass(frozen=True)
class _Mark:
    """Where a group of values begins on the stack."""


def read_pickle(file: Opened, start: int = 0) -> tuple[Value, int]:
    """Return what the pickle at ``start`` describes, and where it ends; ``NotComparable`` if it makes no sense."""
    tape = Tape(file, start)
    try:
        return _Machine(tape, _Budget()).run(), tape.tell()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error) as exc:
        raise NotComparable("no_pickle", error=str(exc)[:170]) from exc


class _Budget:
    """How much is read altogether, pickles within pickles included."""

    def __init__(self) -> None:
        self.opcodes = _MOST_OPCODES
        self.nested = _MOST_NESTED


class _Machine:
    """A stack machine as ``pickle``'s is, that only notes down what it would do."""

    def __init__(self, tape: Tape, budget: _Budget) -> None:
        self._tape = tape
        self._budget = budget
        self._stack: list[Value] = []
        self._memo: dict[int, Value] = {}

    def run(self) -> Value:
        """Go on to the end of the pickle and return its value."""
        while True:
            self._budget.opcodes -= 1
            if self._budget.opcodes < 0:
                raise NotComparable("opcodes_more", most=_MOST_OPCODES)
            code = self._tape.read(1).decode("latin-1")
            if not code:
                raise NotComparable("ends_early")
            operation = _OPERATIONS[code]
            name = operation.name
            if name in _LENGTHS:
                self._stack.append(self._read_bytes(_LENGTHS[name]))
                continue
            argument = operation.arg.reader(self._tape) if operation.arg else None  # type: ignore[arg-type]
            if name == "STOP":
                return self._stack.pop()
            if name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _LITERALS:
                self._stack.append(argument)
            else:
                _HANDLERS[name](self, argument)

    def _read_bytes(self, layout: str) -> bytes | Blob:
        (size,) = struct.unpack(layout, self._tape.read(struct.calcsize(layout)))
        if size < _LONG_BYTES:
            data = self._tape.read(size)
            if len(data) != size:
                raise NotComparable("ends_early")
            return data
        blob = Blob(self._tape.tell(), size)
        self._tape.skip(size)
        return blob

    def _pop_group(self) -> list[Value]:
        """Take everything above the last mark, and the mark."""
        stack = self._stack
        index = len(stack) - 1
        while not isinstance(stack[index], _Mark):
            index -= 1
            if index < 0:
                raise NotComparable("opcodes_nonsense")
        group = stack[index + 1 :]
        del stack[index:]
        return group

    def _drop_group(self, _: object) -> None:
        self._pop_group()

    def _push(self, value: Value) -> None:
        self._stack.append(value)

    def _pop(self, _: object) -> None:
        self._stack.pop()

    def _append(self, values: list[Value]) -> None:
        target = self._stack[-1]
        if not isinstance(target, Sequence | Call):
            raise NotComparable("opcodes_nonsense")
        target.items.extend(values)

    def _set_items(self, values: list[Value]) -> None:
        target = self._stack[-1]
        if not isinstance(target, Table | Call):
            raise NotComparable("opcodes_nonsense")
        pairs = list(zip(values[::2], values[1::2], strict=True))
        (target.table if isinstance(target, Call) else target.items).extend(pairs)

    def _group(self, kind: str) -> None:
        self._push(Sequence(kind, self._pop_group()))

    def _make_tuple(self, size: int) -> None:
        start = len(self._stack) - size
        if start < 0:
            raise NotComparable("opcodes_nonsense")
        items = self._stack[start:]
        del self._stack[start:]
        self._push(Sequence("tuple", items))

    def _make_dict(self, _: object) -> None:
        values = self._pop_group()
        self._push(Table(list(zip(values[::2], values[1::2], strict=True))))

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._push(self._memo[index])

    def _make_global(self, _: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push(Global(f"{module} {name}"))

    def _reduce(self, _: object) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._push(_make_set(function, arguments) or Call(function, arguments))

    def _make_object_with_keywords(self, _: object) -> None:
        keywords, arguments, function = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._push(Call(function, Sequence("tuple", [Sequence("group of arguments", [arguments]), keywords])))

    def _make_instance(self, name: str | None) -> None:
        group = self._pop_group()
        function = Global(name) if name is not None else group.pop(0)
        self._push(Call(function, Sequence("tuple", group)))

    def _build(self, _: object) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if not isinstance(target, Call):
            raise NotComparable("opcodes_nonsense")
        if target.state is not None:
            raise NotComparable("two_states")
        target.state = state
        if isinstance(target.function, Global) and target.function.name.endswith(_JOBLIB_ARRAY):
            target.attached = self._read_attached(state)

    def _read_attached(self, state: Value) -> Value:
        """Read what joblib writes behind the description of an array.

        https://github.com/joblib/joblib/blob/1.5.2/joblib/numpy_pickle.py
        """
        wanted = dict(state.items)
        dtype = describe_type(wanted["dtype"])
        if dtype.lstrip("|<>=").startswith("O"):
            self._budget.nested -= 1
            if self._budget.nested < 0:
                raise NotComparable("pickles_nested")
            return _Machine(self._tape, self._budget).run()
        if wanted.get("numpy_array_alignment_bytes") is not None:
            self._tape.skip(self._tape.read(1)[0])
        size = item_size(dtype)
        for length in list_shape(wanted["shape"]):
            size *= length
        blob = Blob(self._tape.tell(), size)
        self._tape.skip(size)
        return blob


def _make_set(function: Value, arguments: Value) -> Sequence | None:
    """Return the set that a call would make of a list, as pickles before protocol 4 write it."""
    kind = _SETS.get(function.name) if isinstance(function, Global) else None
    if kind is None or not isinstance(arguments, Sequence) or len(arguments.items) != 1:
        return None
    (held,) = arguments.items
    return Sequence(kind, held.items) if isinstance(held, Sequence) else None


_SETS = {f"{module} {kind}": kind for module in ("builtins", "__builtin__") for kind in ("set", "frozenset")}
_JOBLIB_ARRAY = "numpy_pickle NumpyArrayWrapper"
_OPERATIONS = {operation.code: operation for operation in pickletools.opcodes}
_LENGTHS = {"SHORT_BINBYTES": "<B", "BINBYTES": "<I", "BINBYTES8": "<Q", "BYTEARRAY8": "<Q"}
_CONSTANTS: dict[str, Value] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _Mark()}
_LITERALS = {
    *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "POP": _Machine._pop,
    "POP_MARK": _Machine._drop_group,
    "DUP": lambda machine, _: machine._push(machine._stack[-1]),
    "EMPTY_LIST": lambda machine, _: machine._push(Sequence("list")),
    "EMPTY_TUPLE": lambda machine, _: machine._push(Sequence("tuple")),
    "EMPTY_SET": lambda machine, _: machine._push(Sequence("set")),
    "EMPTY_DICT": lambda machine, _: machine._push(Table()),
    "LIST": lambda machine, _: machine._group("list"),
    "TUPLE": lambda machine, _: machine._group("tuple"),
    "FROZENSET": lambda machine, _: machine._group("frozenset"),
    "TUPLE1": lambda machine, _: machine._make_tuple(1),
    "TUPLE2": lambda machine, _: machine._make_tuple(2),
    "TUPLE3": lambda machine, _: machine._make_tuple(3),
    "DICT": _Machine._make_dict,
    "APPEND": lambda machine, _: machine._append([machine._stack.pop()]),
    "APPENDS": lambda machine, _: machine._append(machine._pop_group()),
    "ADDITEMS": lambda machine, _: machine._append(machine._pop_group()),
    "SETITEM": lambda machine, _: machine._set_items([*reversed((machine._stack.pop(), machine._stack.pop()))]),
    "SETITEMS": lambda machine, _: machine._set_items(machine._pop_group()),
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": lambda machine, _: machine._put(len(machine._memo)),
    "GET": _Machine._get,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "GLOBAL": lambda machine, name: machine._push(Global(name)),
    "STACK_GLOBAL": _Machine._make_global,
    "EXT1": lambda machine, code: machine._push(Global(f"extension {code}")),
    "EXT2": lambda machine, code: machine._push(Global(f"extension {code}")),
    "EXT4": lambda machine, code: machine._push(Global(f"extension {code}")),
    "REDUCE": _Machine._reduce,
    "NEWOBJ": _Machine._reduce,
    "NEWOBJ_EX": _Machine._make_object_with_keywords,
    "INST": _Machine._make_instance,
    "OBJ": _Machine._make_instance,
    "BUILD": _Machine._build,
    "PERSID": lambda machine, key: machine._push(Persistent(key)),
    "BINPERSID": lambda machine, _: machine._push(Persistent(machine._stack.pop())),
}
