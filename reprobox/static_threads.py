"""Find in the source where threads add to one value: in which order they do is a race, and a sum depends on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from reprobox.orders import Orders, name_call
from reprobox.records import Suspect
from reprobox.static_suspects import is_number, parse_all

_POOLS = frozenset(("ThreadPool", "ThreadPoolExecutor"))
_HANDING_OUT = frozenset(("apply_async", "imap", "imap_unordered", "map", "map_async", "starmap", "submit"))
"""Methods of those whose first argument runs in several threads."""
_LOOPS = (ast.For, ast.While, ast.comprehension, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def find_shared_sums(sources: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Return where a function that runs in several threads adds to a value that they share."""
    return tuple(
        Suspect("completion-order", f"{path}:{node.lineno}", 1, f"threads add to {ast.unparse(node.target)}")
        for path, orders in parse_all(sources)
        for function in _list_threaded(orders)
        for node in ast.walk(function)
        if isinstance(node, ast.AugAssign) and _is_shared_sum(node, function)
    )


def _list_threaded(orders: Orders) -> Iterator[Function]:
    """Yield the functions of a file that it hands to several threads."""
    nodes = list(ast.walk(orders.tree))
    pools = set(_list_pools(nodes))
    given = {name for node in nodes if isinstance(node, ast.Call) for name in _name_target(node, pools, orders)}
    for node in nodes:
        if isinstance(node, Function) and node.name in given:
            yield node


def _list_pools(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that a pool of threads is given."""
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if name_call(call) in _POOLS:
                yield name
            case ast.withitem(context_expr=ast.Call() as call, optional_vars=ast.Name(id=name)):
                if name_call(call) in _POOLS:
                    yield name


def _name_target(call: ast.Call, pools: set[str], orders: Orders) -> Iterator[str]:
    """Yield the name of the function that a call has run in several threads, if it is such a call."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=pool), attr=method) if pool in pools and method in _HANDING_OUT:
            yield from _name_function(call.args[0] if call.args else None)
        case _ if name_call(call) == "Thread" and _is_one_of_many(call, orders):
            yield from _name_function(next((one.value for one in call.keywords if one.arg == "target"), None))


def _name_function(given: ast.expr | None) -> Iterator[str]:
    match given:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
            yield name


def _is_one_of_many(call: ast.Call, orders: Orders) -> bool:
    """Whether a thread is made in a loop that does not wait for it before it makes the next."""
    loop = next((one for one in orders.ancestors(call) if isinstance(one, _LOOPS)), None)
    if loop is None:
        return False
    return not any(isinstance(node, ast.Call) and name_call(node) == "join" for node in ast.walk(loop))


def _is_shared_sum(node: ast.AugAssign, function: Function) -> bool:
    if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult) or is_number(node.value):
        return False
    match node.target:
        case ast.Name(id=name):
            declared = [one for one in ast.walk(function) if isinstance(one, ast.Global | ast.Nonlocal)]
            return any(name in one.names for one in declared)
        case ast.Attribute(value=ast.Name(id="self")):
            return True
    return False
