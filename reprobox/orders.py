"""Follow a value whose order is not fixed through the source of one file, and say whether that order matters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

ORDER_FREE = frozenset(
    ("all", "any", "bool", "Counter", "dict_keys", "frozenset", "isinstance", "len", "max", "min", "set", "sum")
)
"""Calls whose result does not depend on the order of their argument; those with "sort" in their name besides."""
TRANSPARENT = frozenset(("chain", "enumerate", "filter", "iter", "list", "map", "next", "reversed", "tuple", "zip"))
"""Calls whose result has the order of their argument."""
_HARMLESS_CALLS = frozenset(
    ("add", "chmod", "close", "copy", "copy2", "copyfile", "debug", "discard", "info", "makedirs", "mkdir", "move")
) | frozenset(("print", "remove", "rename", "replace", "rmdir", "rmtree", "symlink", "touch", "unlink", "warning"))
"""Done to each of many things, these leave the same behind in any order."""
_GROWING = frozenset(("append", "extend", "insert"))

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Orders:
    """One parsed file: who contains whom, and what becomes of a name."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._names: dict[ast.AST, dict[str, list[ast.Name]]] = {}
        self._values: dict[ast.AST, dict[str, list[ast.expr | None]]] = {}
        self._followed: set[tuple[ast.AST, str]] = set()

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node that directly contains this one."""
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what contains the node, from the inside to the outside."""
        while (found := self._parents.get(node)) is not None:
            yield found
            node = found

    def scope(self, node: ast.AST) -> Scope:
        """Return the function or the module whose names a node sees first."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        return next((found for found in self.ancestors(node) if isinstance(found, kinds)), self.tree)

    def values(self, name: str, scope: Scope) -> list[ast.expr | None]:
        """Return what is assigned to a name in a scope; None for an annotation alone."""
        if scope not in self._values:
            found: dict[str, list[ast.expr | None]] = {}
            for node in ast.walk(scope):
                if isinstance(node, ast.Assign | ast.AnnAssign):
                    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                        if isinstance(target, ast.Name):
                            found.setdefault(target.id, []).append(node.value)
            self._values[scope] = found
        return self._values[scope].get(name, [])

    def _uses(self, name: str, scope: Scope) -> list[ast.Name]:
        if scope not in self._names:
            found: dict[str, list[ast.Name]] = {}
            for node in ast.walk(scope):
                if isinstance(node, ast.Name):
                    found.setdefault(node.id, []).append(node)
            self._names[scope] = found
        return self._names[scope].get(name, [])

    def escapes(self, node: ast.AST) -> bool:
        """Whether the order of a list, or of an iterator, reaches what the program does with it; in doubt, it does."""
        match parent := self._parents.get(node):
            case ast.Call():
                return self._call_escapes(parent, node)
            case ast.keyword() | ast.Starred() | ast.BoolOp() | ast.BinOp() | ast.Await():
                return self.escapes(parent)
            case ast.comprehension():
                return self._comprehension_escapes(parent)
            case ast.Compare():
                return node is parent.left or not all(isinstance(op, ast.In | ast.NotIn) for op in parent.ops)
            case ast.For() | ast.AsyncFor():
                return self._loop_escapes(parent)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return self.name_escapes(name, parent)
            case ast.NamedExpr(target=ast.Name(id=name)):
                return self.escapes(parent) or self.name_escapes(name, parent)
            case ast.withitem(optional_vars=ast.Name(id=name)):
                return self.name_escapes(name, parent)
            case ast.IfExp():
                return node is not parent.test and self.escapes(parent)
            case ast.Attribute():
                return parent.attr not in _GROWING | {"sort", "close", "remove"}
            case ast.Subscript(value=ast.Call(func=ast.Name(id="next"))):
                # next(os.walk(folder))[2]
                return self.escapes(parent)
            case ast.Expr() | ast.If() | ast.While() | ast.Assert() | ast.UnaryOp() | ast.Delete() | None:
                return False
            case _:
                return True

    def name_escapes(self, name: str, origin: ast.AST) -> bool:
        """Whether the order of what ``origin`` gives a name matters in its scope; unused, it does."""
        scope = self.scope(origin)
        if (scope, name) in self._followed:
            return False
        uses = self._uses(name, scope)
        if any(self._is_sorted_in_place(use) for use in uses):
            return False
        # A loop's own body is no use of the list that it fills.
        later = [use for use in uses if _is_read(use, name) and origin not in self.ancestors(use)]
        self._followed.add((scope, name))
        try:
            return not later or any(self.escapes(use) for use in later)
        finally:
            self._followed.discard((scope, name))

    def _call_escapes(self, call: ast.Call, node: ast.AST) -> bool:
        name = name_call(call)
        if leaves_ties(call):
            return True
        if node is call.func or name in ORDER_FREE or "sort" in name or name in _HARMLESS_CALLS:
            return False
        return self.escapes(call) if name in TRANSPARENT else True

    def _comprehension_escapes(self, part: ast.comprehension) -> bool:
        owner = self._parents[part]
        if isinstance(owner, ast.SetComp):
            return False
        # A dictionary keeps the order in which it was filled.
        return isinstance(owner, ast.DictComp) or self.escapes(owner)

    def _is_sorted_in_place(self, use: ast.Name) -> bool:
        match self._parents.get(use):
            case ast.Attribute(attr="sort"):
                return True
            case ast.Subscript(slice=ast.Slice()) as part:
                # dirs[:] = sorted(dirs)
                match self._parents.get(part):
                    case ast.Assign(value=ast.Call() as call):
                        return "sort" in name_call(call)
        return False

    def _loop_escapes(self, loop: ast.For | ast.AsyncFor) -> bool:
        numbered = isinstance(loop.iter, ast.Call) and name_call(loop.iter) in ("enumerate", "zip")
        if all(_is_harmless(statement) for statement in loop.body) and not numbered:
            return False
        if self._is_sorted_walk(loop):
            return False
        inner = [node for statement in loop.body for node in ast.walk(statement)]
        if any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Return | ast.Break) for node in inner):
            return True
        grown = {name for node in inner if (name := _name_grown(node))}
        return not grown or any(self.name_escapes(name, loop) for name in grown)

    def _is_sorted_walk(self, loop: ast.For | ast.AsyncFor) -> bool:
        """Whether a loop over ``os.walk`` sorts both the folders, in place, and the files."""
        match loop.target:
            case ast.Tuple(elts=[_, ast.Name(id=folders), ast.Name(id=files)]):
                names = [node for node in ast.walk(loop) if isinstance(node, ast.Name)]
                in_place = any(self._is_sorted_in_place(one) for one in names if one.id == folders)
                return in_place and not any(self.escapes(one) for one in names if _is_read(one, files))
        return False


def name_call(call: ast.Call) -> str:
    """Return the last part of what is called: "listdir" of ``os.listdir(…)``."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def leaves_ties(call: ast.Call) -> bool:
    """Whether a call sorts or chooses by something that several may have alike: their number, their length.

    Of those, the first comes first: ``max(set(votes), key=votes.count)``.
    """
    keys = [one.value for one in call.keywords if one.arg == "key"]
    parts = [node for key in keys for node in ast.walk(key)]
    looked_up = [node for node in parts if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name)]
    called = [node for node in parts if isinstance(node, ast.Attribute) and node.attr in ("count", "get")]
    return bool(looked_up or called or any(isinstance(node, ast.Name) and node.id == "len" for node in parts))


def _is_read(node: ast.Name, name: str) -> bool:
    return node.id == name and isinstance(node.ctx, ast.Load)


def _is_harmless(statement: ast.stmt) -> bool:
    """Whether doing this once for each of many things leaves the same behind in any order."""
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return name_call(call) in _HARMLESS_CALLS
        case ast.If():
            return all(_is_harmless(one) for one in (*statement.body, *statement.orelse))
        case ast.AugAssign(op=ast.Add(), value=ast.Constant(value=int())):
            return True
    return isinstance(statement, ast.Pass | ast.Continue | ast.Assert | ast.Raise)


def _name_grown(node: ast.AST) -> str:
    """Return the name of the list that a node adds something to, or ""."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in _GROWING:
            return name
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=ast.List() | ast.ListComp()):
            return name
    return ""
