"""Find suspects in the source of the user's program: it is parsed, and never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from reprobox.orders import TRANSPARENT, Orders, leaves_ties, name_call
from reprobox.records import Suspect

_LARGEST_SOURCE = 2**20
"""Bytes; larger ones are data written as Python."""
_LISTINGS = frozenset(("fwalk", "glob", "iglob", "iterdir", "listdir", "rglob", "scandir", "walk"))
_ITERATING = (
    TRANSPARENT
    | frozenset(
        (
            "choice",
            "choices",
            "combinations",
            "cycle",
            "extend",
            "from_iterable",
            "fromiter",
            "fromkeys",
            "islice",
            "join",
        )
    )
    | frozenset(("permutations", "product", "sample", "starmap"))
)
"""Calls that go through a set one by one, and whose result shows in which order."""
_SET_METHODS = frozenset(("copy", "difference", "intersection", "symmetric_difference", "union"))
_NUMBERS = frozenset(("float", "int", "len", "ord", "round"))
_CLOCKS = frozenset(
    ("getpid", "getppid", "monotonic", "monotonic_ns", "now", "perf_counter", "perf_counter_ns")
) | frozenset(("process_time", "time", "time_ns", "today", "utcnow"))
_SEEDING = frozenset(
    ("default_rng", "key", "manual_seed", "manual_seed_all", "PCG64", "PRNGKey", "Random", "RandomState")
) | frozenset(
    ("RandomStream", "RandomStreams", "seed", "seed_everything", "SeedSequence", "set_random_seed", "set_seed")
)
_PROCESSOR_COUNTS = frozenset(("cpu_count", "process_cpu_count", "sched_getaffinity"))
_SEED_KEYWORDS = frozenset(("random_seed", "random_state", "rng", "seed"))


def read_sources(folder: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return path -> text of those files in ``folder`` that are Python and can be read."""
    found = {}
    for path in paths:
        try:
            if path.endswith(".py") and (folder / path).stat().st_size <= _LARGEST_SOURCE:
                found[path] = (folder / path).read_text("utf-8")
        except (OSError, ValueError):
            continue
    return found


def find_hash_orders(sources: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Return where the order of a set, or a number that ``hash`` made of a string, gets into the program's results."""
    return tuple(
        Suspect("hash-order", f"{path}:{node.lineno}", 1, detail)
        for path, orders in parse_all(sources)
        for node, detail in _list_hash_orders(orders)
    )


def find_clock_seeds(sources: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Return where a seed is made of the time or of a process id."""
    return tuple(
        Suspect("clock-seed", f"{path}:{node.lineno}", 1, f"{name_call(node)}(… {clock}() …)")
        for path, orders in parse_all(sources)
        for node in ast.walk(orders.tree)
        if isinstance(node, ast.Call) and (clock := _find_clock(node, orders))
    )


def find_processor_counts(sources: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Return where the program asks how many processors there are, and so depends on the machine."""
    return tuple(
        Suspect("thread-count", f"{path}:{node.lineno}", 1, f"{name_call(node)}()")
        for path, orders in parse_all(sources)
        for node in ast.walk(orders.tree)
        if isinstance(node, ast.Call) and name_call(node) in _PROCESSOR_COUNTS
    )


def is_order_settled(source: str, line: int) -> bool:
    """Whether the folder that is listed at a line is sorted, or goes where its order makes no difference."""
    orders = _parse(source)
    statement = _find_statement(orders.tree, line) if orders else None
    if orders is None or statement is None:
        return False
    calls = [node for part in _list_heads(statement) for node in ast.walk(part) if isinstance(node, ast.Call)]
    here = [call for call in calls if call.lineno <= line <= (call.end_lineno or call.lineno)]
    listings = [call for call in here if name_call(call) in _LISTINGS]
    if not listings:
        # A generator that was made elsewhere, and is used up here.
        return any("sort" in name_call(call) for call in here)
    return not any(orders.escapes(call) for call in listings)


def parse_all(sources: Mapping[str, str]) -> Iterator[tuple[str, Orders]]:
    """Yield path and content of each file that can be parsed."""
    for path in sorted(sources):
        if orders := _parse(sources[path]):
            yield path, orders


@lru_cache(maxsize=64)
def _parse(source: str) -> Orders | None:
    """Parse one file; None where it is Python of another version, or none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Orders(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _list_hash_orders(orders: Orders) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(orders.tree):
        if not isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.Call) and _is_hash(node, orders):
            yield node, "hash() of what may be text"
        elif _is_set(node, orders):
            shown = _find_iteration(node, orders)
            if shown is not None and orders.escapes(shown):
                yield node, "the order of a set"
            elif _is_popped(node, orders):
                yield node, "pop() of a set takes any of its elements"


def _is_hash(node: ast.Call, orders: Orders) -> bool:
    if not (isinstance(node.func, ast.Name) and node.func.id == "hash" and node.args):
        return False
    return getattr(orders.scope(node), "name", "") != "__hash__" and not is_number(node.args[0])


def _is_set(node: ast.AST, orders: Orders, names: bool = True) -> bool:
    """Whether an expression is a set of something else than numbers, as far as the text tells."""
    match node:
        case ast.Set():
            return not all(is_number(one) for one in node.elts)
        case ast.SetComp():
            return not is_number(node.elt)
        case ast.Call(func=ast.Name(id="set" | "frozenset"), args=[one]):
            return not _holds_numbers(one)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _SET_METHODS:
            return _is_set(value, orders, names)
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return _is_set(node.left, orders, names) or _is_set(node.right, orders, names)
        case ast.Name(ctx=ast.Load()) if names:
            return _is_name_of_set(node, orders)
    return False


def _is_name_of_set(name: ast.Name, orders: Orders) -> bool:
    """Whether everything that is assigned to a name where it is used, or in the module, is a set."""
    for scope in (orders.scope(name), orders.tree):
        if values := orders.values(name.id, scope):
            filled = [value for value in values if value is not None and not _is_empty_set(value)]
            return bool(filled) and all(_is_set(value, orders, names=False) for value in filled)
    return False


def _is_empty_set(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and name_call(node) in ("set", "frozenset") and not node.args


def is_number(node: ast.AST) -> bool:
    """Whether an expression can be nothing but a number, as far as its text tells."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float | complex)
        case ast.Call(func=ast.Name(id=name)):
            return name in _NUMBERS
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
        case ast.Tuple(elts=elements):
            return all(is_number(one) for one in elements)
        case ast.BinOp():
            return is_number(node.left) and is_number(node.right)
    return False


def _holds_numbers(node: ast.AST) -> bool:
    """Whether what a set is made from can hold nothing but numbers."""
    match node:
        case ast.Call(func=ast.Name(id="range")) | ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="int"), *_]):
            return True
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return all(is_number(one) for one in elements)
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            return is_number(element)
    return False


def _find_iteration(node: ast.expr, orders: Orders) -> ast.AST | None:
    """Return what goes through a set one by one: the node whose order is the set's."""
    match parent := orders.parent(node):
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            return node if node is parent.iter else None
        case ast.Call() if node in parent.args and leaves_ties(parent):
            return node
        case ast.Call() if node in parent.args and name_call(parent) in _ITERATING:
            return node if name_call(parent) in TRANSPARENT else parent
        case ast.Starred():
            return node
    return None


def _is_popped(node: ast.expr, orders: Orders) -> bool:
    match parent := orders.parent(node):
        case ast.Attribute(attr="pop"):
            call = orders.parent(parent)
            return isinstance(call, ast.Call) and not call.args
    return False


def _find_clock(call: ast.Call, orders: Orders) -> str:
    """Return the clock that a seeding call's argument is read from, directly or through one name; else ""."""
    given: list[ast.expr] = list(call.args) if name_call(call) in _SEEDING else []
    given.extend(one.value for one in call.keywords if one.arg in _SEED_KEYWORDS)
    for value in given:
        names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]
        scopes = (orders.scope(call), orders.tree)
        origins = [one for name in names for scope in scopes for one in orders.values(name, scope) if one is not None]
        for origin in (value, *origins):
            if clock := _find_clock_in(origin):
                return clock
    return ""


def _find_clock_in(value: ast.AST) -> str:
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and name_call(node) in _CLOCKS:
            return name_call(node)
    return ""


def _find_statement(tree: ast.Module, line: int) -> ast.stmt | None:
    """Return the innermost statement that a line belongs to."""
    covering = [
        node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(covering, key=lambda node: (node.lineno, -(node.end_lineno or 0)), default=None)


def _list_heads(statement: ast.stmt) -> list[ast.AST]:
    """Return the parts of a statement that are not statements of their own."""
    return [node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt)]
