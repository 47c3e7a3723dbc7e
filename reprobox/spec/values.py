"""Readers of single values: a node in, a checked Python value or a problem out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from reprobox.errors import Problem
from reprobox.spec.yaml_nodes import ListNode, MapNode, Node, Position, ScalarNode, join_key

T = TypeVar("T")

_YES = frozenset({"true", "yes", "on"})
_NO = frozenset({"false", "no", "off"})
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OTHER_TYPE = re.compile(
    r"[-+]?[0-9][0-9_]*(\.[0-9]*)?([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F]+|true|false|yes|no|on|off", re.I
)
_MAX_DIGITS = 25
MAX_TEXT = 4_000
"""Longest text; also fewer digits than Python converts to an integer."""


@dataclass(frozen=True)
class Value:
    """A node together with the key it stands at, its file, and the list that its problems go to."""

    node: Node
    key: str
    file: str
    problems: list[Problem]
    key_position: Position | None = None

    def report(self, message: str, hint: str) -> None:
        """Add a problem that points at the value."""
        self._add(self.node.position, self.key, message, hint)

    def report_key(self, message: str, hint: str) -> None:
        """Add a problem that points at the key rather than at its value."""
        self._add(self.key_position or self.node.position, self.key, message, hint)

    def report_missing(self, key: str, hint: str) -> None:
        """Add a problem about a key of this mapping that is not there; it points at where the mapping starts."""
        self._add(self.key_position or self.node.position, join_key(self.key, key), "is missing", hint)

    def entries(self) -> dict[str, Value]:
        """Return the values of a mapping by key; none for any other node."""
        if not isinstance(self.node, MapNode):
            return {}
        return {
            key: Value(node, join_key(self.key, key), self.file, self.problems, self.node.keys[key])
            for key, node in self.node.items.items()
        }

    def items(self) -> list[Value]:
        """Return the values of a list; a value that is no list counts as a list of itself."""
        if not isinstance(self.node, ListNode):
            return [self]
        return [
            Value(node, f"{self.key}[{index}]", self.file, self.problems) for index, node in enumerate(self.node.items)
        ]

    @property
    def empty(self) -> bool:
        """Whether nothing (or ``null``) is written."""
        return isinstance(self.node, ScalarNode) and self.node.empty

    def _add(self, where: Position, key: str, message: str, hint: str) -> None:
        self.problems.append(Problem(self.file, where.line, where.column, key, message, hint))


Reader = Callable[[Value], T | None]
"""Returns ``None`` after it has reported what is wrong."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the closest of ``known``, or nothing."""
    close = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""


def describe(node: Node) -> str:
    """Say what was found, for "expected …, found …"."""
    match node:
        case ListNode():
            return "a list"
        case MapNode():
            return "a mapping"
        case _ if node.empty:
            return "nothing"
        case _:
            return shorten(node.text)


def shorten(text: str) -> str:
    """Quote a value for a message, on one line and not endlessly."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


_ANY_VALUE = "write a value, or remove the line"
_ONE_VALUE = "write one value, without keys below it"


def read_scalar(value: Value, expected: str) -> ScalarNode | None:
    """Return the scalar node; report a list, a mapping, or nothing at all."""
    node = value.node
    if isinstance(node, ScalarNode) and not node.empty:
        return node
    hint = "write one value, without brackets or dashes" if isinstance(node, ListNode) else _ONE_VALUE
    value.report(f"expected {expected}, found {describe(node)}", _ANY_VALUE if value.empty else hint)
    return None


def read_text(value: Value, expected: str, *, verbatim: bool = False, longest: int = MAX_TEXT) -> str | None:
    """Return a text of one line, as it was written (quotes taken off).

    A number or a yes or no without quotes is no text, unless ``verbatim`` says that the key takes what is written.
    """
    node = read_scalar(value, expected)
    if node is None:
        return None
    if len(node.text) > longest:
        value.report(f"is {len(node.text):,} characters long", f"use at most {longest:,}")
        return None
    if node.plain and not verbatim and _OTHER_TYPE.fullmatch(node.text):
        value.report(f"expected {expected}, found {node.text}", f"if you mean the text, quote it: '{node.text}'")
        return None
    text = node.text.rstrip("\n") if not node.plain else node.text
    if bad := CONTROL.search(text):
        name = {"\n": "a line break", "\r": "a line break", "\t": "a tab", "\0": "a NUL"}.get(bad.group(), "")
        value.report(f"contains {name or f'the control character U+{ord(bad.group()):04X}'}", "write it on one line")
        return None
    if not text.strip():
        value.report(f"expected {expected}, found an empty text", _ANY_VALUE)
        return None
    return text


def read_integer(value: Value, low: int, high: int, hint: str = "") -> int | None:
    """Return a plain decimal integer within bounds; every other way of writing one is refused, never converted."""
    node = read_scalar(value, "an integer")
    if node is None:
        return None
    text = node.text
    if not _INTEGER.fullmatch(text):
        value.report(f"{shorten(text)} is not a plain integer", _integer_hint(text))
    elif not node.plain:
        value.report(
            f"expected an integer, found the text {shorten(text)}", f"remove the quotes: {shorten(text)[1:-1]}"
        )
    elif len(text) > _MAX_DIGITS or not low <= int(text) <= high:
        value.report(f"{shorten(text)[1:-1]} is out of range", hint or f"use an integer from {low} to {high}")
    else:
        return int(text)
    return None


def _integer_hint(text: str) -> str:
    """Work out which number was meant, where there is one."""
    if len(text) > _MAX_DIGITS:
        return "write decimal digits only"
    if re.fullmatch(r"[+-]?0[0-9]+", text):
        return f"write {int(text)} (or {int(text, 8)} if you meant octal)" if re.fullmatch("[0-7+-]+", text) else ""
    try:
        number = int(text, 0) if not re.search("[.eE]", text) or text.lower().startswith("0x") else float(text)
        meant = int(number)
    except (ValueError, OverflowError):
        return "write decimal digits only"
    if meant != number:
        return "it must be a whole number"
    return f"write {meant}" if len(str(meant)) <= _MAX_DIGITS else "write decimal digits only"


def read_flag(value: Value) -> bool | None:
    """Return yes or no: ``true/false``, ``yes/no`` and ``on/off``, quoted or not."""
    node = read_scalar(value, "true or false")
    if node is None:
        return None
    word = node.text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    value.report(f"expected true or false, found {shorten(node.text)}", "write true or false")
    return None


def read_choice(value: Value, choices: Sequence[str], elsewhere: Mapping[str, str] | None = None) -> str | None:
    """Return one of a few words; ``elsewhere`` says what to write instead of others."""
    expected = f"one of {', '.join(choices)}"
    text = read_text(value, expected, verbatim=True)
    if text is None or text in choices:
        return text
    value.report(f"expected {expected}, found {shorten(text)}", hint_unknown(text, choices, elsewhere or {}))
    return None


def read_list(value: Value, read_item: Reader[T]) -> tuple[T, ...]:
    """Return a list's items; one value alone is a list of one, nothing is an empty list."""
    if value.empty:
        return ()
    if isinstance(value.node, MapNode):
        value.report("expected a list, found a mapping", "start each item with '- '")
        return ()
    results = [read_item(item) for item in value.items()]
    return tuple(result for result in results if result is not None)


def read_table(value: Value, read_entry: Callable[[str, Value], T | None]) -> dict[str, T]:
    """Return a mapping of free keys, in the order of the file; nothing is an empty mapping."""
    if value.empty:
        return {}
    if not isinstance(value.node, MapNode):
        value.report(f"expected a mapping, found {describe(value.node)}", "write 'key: value', one a line, indented")
        return {}
    results = {key: read_entry(key, entry) for key, entry in value.entries().items()}
    return {key: result for key, result in results.items() if result is not None}


_MOST_HINTS = 100
"""Unknown keys that are compared with the known ones: a file of nothing else would take minutes."""


def read_fields(
    value: Value, readers: Mapping[str, Reader[object]], elsewhere: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Return a mapping of known keys; an unknown one is reported with what it may have meant.

    ``elsewhere`` says, for words people try, what to write instead.
    """
    if not isinstance(value.node, MapNode):
        value.report(f"expected a mapping, found {describe(value.node)}", f"its keys are {', '.join(readers)}")
        return {}
    results: dict[str, object] = {}
    unknown = 0
    for key, entry in value.entries().items():
        if key in readers:
            result = readers[key](entry)
            if result is not None:
                results[key] = result
        else:
            unknown += 1
            hint = hint_unknown(key, readers, elsewhere or {}) if unknown <= _MOST_HINTS else ""
            entry.report_key("unknown key", hint or f"the keys are {', '.join(readers)}")
    return results


def hint_unknown(key: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> str:
    """Return what an unknown key was probably meant to be."""
    return elsewhere.get(key.lower()) or suggest(key, known)
