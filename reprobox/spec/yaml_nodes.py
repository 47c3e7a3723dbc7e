"""YAML text -> nodes that know where they stand; refuses every YAML feature that a spec has no use for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Protocol

import yaml

from reprobox.errors import Problem, SpecError

MAX_BYTES = 1 << 20
MAX_DEPTH = 20

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, order=True)
class Position:
    """A place in a text, counted from 1; 0, 0 is the text as a whole."""

    line: int
    column: int


class _Mark(Protocol):
    """PyYAML's marks, of either parser; they count from 0."""

    line: int
    column: int


@dataclass(frozen=True)
class ScalarNode:
    """One value as it was written: ``python: 3.10`` has the text "3.10", whatever YAML would make of it."""

    position: Position
    text: str
    plain: bool
    """Whether it was written without quotes and not as a block."""

    @property
    def empty(self) -> bool:
        """Whether this is YAML's null: nothing, ``~`` or ``null``, without quotes."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True)
class ListNode:
    """A YAML sequence."""

    position: Position
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class MapNode:
    """A YAML mapping; keys are unique texts, in the order of the file."""

    position: Position
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)
    """Where each key stands."""


Node = ScalarNode | ListNode | MapNode


def decode_text(data: bytes, file: str, kind: str = "a spec") -> str:
    """Decode a file's bytes as UTF-8 (a byte order mark is dropped). Raises SpecError."""
    if len(data) > MAX_BYTES:
        raise _fail(file, Position(0, 0), f"is longer than {MAX_BYTES:,} bytes, the most {kind} can have")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _fail(file, Position(1, 1), "is written in UTF-16", "save the file as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8-sig", errors="replace")
        message = f"byte 0x{data[exc.start]:02x} is not UTF-8"
        raise _fail(file, _end_of(before), message, "save the file as UTF-8") from exc


def parse_nodes(
    text: str, file: str, problems: list[Problem], *, kind: str = "a spec", may_be_empty: bool = False
) -> MapNode:
    """Read one YAML document whose top is a mapping; ``kind`` is what messages call it.

    Adds keys that are given twice, and anchors, to ``problems``; raises SpecError, with its position, for what makes
    the rest unreadable.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        raise _fail(file, Position(0, 0), f"is longer than {MAX_BYTES:,} characters, the most {kind} can have")
    if bad := _NOT_TEXT.search(text):
        message = f"character U+{ord(bad.group()):04X} does not belong in a text file"
        raise _fail(file, _end_of(text[: bad.start()]), message, f"delete it; {kind} is plain UTF-8 text")
    builder = _Builder(file, problems, kind)
    try:
        # The pure-Python parser: its positions are exact, it does not recurse, and a spec is small.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as exc:
        raise _explain(exc, text, file) from exc
    except (ValueError, OverflowError) as exc:  # PyYAML's chr() of "\UFFFFFFFF"
        raise _fail(
            file, builder.last, "a \\U escape after this place is not a character", "use at most \\U0010FFFF"
        ) from exc
    if builder.top is None and may_be_empty:
        return MapNode(Position(1, 1))
    return _check_top(builder.top, file, kind)


def _check_top(top: Node | None, file: str, kind: str) -> MapNode:
    match top:
        case MapNode():
            return top
        case None:
            empty = True
        case ScalarNode():
            empty = top.empty
        case _:
            empty = False
    hint = "`reprobox init` writes one to start from" if kind == "a spec" else ""
    if empty:
        raise _fail(file, Position(1, 1), "is empty", hint)
    assert top is not None
    raise _fail(file, top.position, f"{kind} is a mapping of keys to values, such as `name: digits`", hint)


@dataclass
class _Open:
    """A mapping or list whose end has not come yet."""

    node: ListNode | MapNode
    path: str
    key: ScalarNode | None = None
    """The key that waits for its value."""
    ignore: bool = False
    """The key is a second one of its name: drop the value."""


class _Builder:
    """Takes parse events one at a time and builds nodes without recursion."""

    def __init__(self, file: str, problems: list[Problem], kind: str) -> None:
        self.file = file
        self.kind = kind
        self.problems = problems
        self.top: Node | None = None
        self.last = Position(1, 1)
        self._open: list[_Open] = []
        self._documents = 0
        self._anchored: dict[str, ScalarNode] = {}
        """What an alias may stand for while the rest is read; of lists and mappings, aliases of aliases never end."""

    def take(self, event: yaml.Event) -> None:
        self.last = where = _position(event.start_mark)
        match event:
            case yaml.DocumentStartEvent():
                self._start_document(where)
            case yaml.AliasEvent():
                self._add(self._refuse_alias(event.anchor, where))
            case yaml.ScalarEvent():
                self._refuse_extras(event, where)
                self._refuse_surrogates(event.value, where)
                node = ScalarNode(where, event.value, plain=event.style is None)
                if event.anchor is not None:
                    self._anchored[event.anchor] = node
                self._add(node)
            case yaml.SequenceStartEvent():
                self._start(event, ListNode(where))
            case yaml.MappingStartEvent():
                self._start(event, MapNode(where))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._open.pop()

    def _start_document(self, where: Position) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _fail(
                self.file, where, "a second YAML document starts here", f"{self.kind} is one document: remove `---`"
            )

    def _refuse_extras(self, event: yaml.NodeEvent, where: Position) -> None:
        if event.anchor is not None:
            hint = "write the value out where it is needed, or quote a text that starts with &"
            message = f"&{event.anchor} is a YAML anchor; {self.kind} has none"
            self.problems.append(Problem(self.file, where.line, where.column, "", message, hint))
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            name = tag.replace("tag:yaml.org,2002:", "!!")
            raise _fail(
                self.file,
                where,
                f"{name} is a YAML tag; {self.kind} has none",
                "remove it, or quote a text that starts with !",
            )

    def _refuse_alias(self, name: str | None, where: Position) -> ScalarNode:
        """Report an alias and return what it stands for; raise where that is no single value."""
        problem = _fail(
            self.file,
            where,
            f"*{name} is a YAML alias; {self.kind} has none",
            f'write the value out, or quote a pattern: "*{name}"',
        )
        if name is None or name not in self._anchored:
            raise problem
        self.problems += problem.problems
        return replace(self._anchored[name], position=where)

    def _refuse_surrogates(self, text: str, where: Position) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise _fail(self.file, where, "half of a surrogate pair is not a character", "write the character itself")

    def _start(self, event: yaml.CollectionStartEvent, node: ListNode | MapNode) -> None:
        self._refuse_extras(event, node.position)
        if len(self._open) >= MAX_DEPTH:
            raise _fail(self.file, node.position, f"is nested more than {MAX_DEPTH} levels deep")
        path = self._path_of_next()
        self._add(node)
        self._open.append(_Open(node, path))

    def _path_of_next(self) -> str:
        match self._open[-1:]:
            case [_Open(node=ListNode(items=items), path=path)]:
                return f"{path}[{len(items)}]"
            case [_Open(key=ScalarNode(text=text), path=path)]:
                return join_key(path, text)
            case _:
                return ""

    def _add(self, node: Node) -> None:
        if not self._open:
            self.top = node
            return
        parent = self._open[-1]
        match parent.node:
            case ListNode(items=items):
                items.append(node)
            case MapNode() as mapping if parent.key is None:
                self._take_key(parent, mapping, node)
            case MapNode(items=entries):
                assert parent.key is not None
                if not parent.ignore:
                    entries[parent.key.text] = node
                parent.key = None

    def _take_key(self, parent: _Open, mapping: MapNode, node: Node) -> None:
        if not isinstance(node, ScalarNode):
            hint = "a key is plain text; quote it if it starts with a bracket"
            raise _fail(self.file, node.position, "a list or mapping cannot be a key", hint)
        if node.plain and node.text == "<<":
            raise _fail(self.file, node.position, f"<< is a YAML merge key; {self.kind} has none", "write the keys out")
        if node.empty and not node.text:
            raise _fail(self.file, node.position, "a key is missing before the colon")
        parent.key = node
        parent.ignore = node.text in mapping.keys
        if not parent.ignore:
            mapping.keys[node.text] = node.position
            return
        first = mapping.keys[node.text].line
        message = f"is given twice; the first is on line {first}"
        key = join_key(parent.path, node.text)
        self.problems.append(
            Problem(self.file, node.position.line, node.position.column, key, message, "remove one of the two")
        )


def join_key(path: str, key: str) -> str:
    """Name a key inside a mapping: ``frameworks.torch``."""
    key = key if len(key) <= 100 else key[:97] + "..."
    key = key if key.isprintable() else ascii(key)[1:-1]
    return f"{path}.{key}" if path else key


def _explain(exc: yaml.MarkedYAMLError, text: str, file: str) -> SpecError:
    """Say in plain words what the YAML parser stumbled over."""
    problem = (exc.problem or "cannot be read as YAML").replace("could not found", "could not find")
    mark = exc.problem_mark
    here = text[mark.index] if mark and mark.index < len(text) else ""
    where = _position(mark)
    if here == "	":
        return _fail(file, where, "a tab; YAML is indented with spaces", "replace the tab by spaces")
    if exc.context == "while scanning an alias":
        return _fail(file, where, "a text that starts with * must be quoted", 'for example "*.csv"')
    if "cannot start any token" in problem:
        return _fail(file, where, f"a text cannot start with {here}", "put quotes around the value")
    if problem == "mapping values are not allowed here":
        hint = "quote a value that contains a colon and a space; check the indentation"
        return _fail(file, where, "a colon is not allowed here", hint)
    if "unexpected end of stream" in problem or "',' or" in problem:
        start = _position(exc.context_mark)
        what = "quote" if "quoted" in (exc.context or "") else "bracket"
        return _fail(file, start, f"the {what} that opens here is not closed", f"it breaks off on line {where.line}")
    return _fail(file, where, f"is not valid YAML: {problem}", _hint_for(problem))


def _hint_for(problem: str) -> str:
    if "block end" in problem or "could not find expected ':'" in problem:
        return "check the indentation of this line and the one before, and that every key has a colon and a space"
    if "expected the node content" in problem:
        return "put quotes around the value"
    return ""


def _position(mark: _Mark | None) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _end_of(text: str) -> Position:
    """Where the text that follows ``text`` starts."""
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    return Position(len(lines), len(lines[-1]) + 1)


def _fail(file: str, where: Position, message: str, hint: str = "") -> SpecError:
    return SpecError((Problem(file, where.line, where.column, "", message, hint),))
