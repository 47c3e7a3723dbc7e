"""Work out which paths a program's expressions spell, as far as they can be read without running it."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Mapping

_PATH_CALLS = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath", "join"})


def list_texts(tree: ast.Module) -> Iterator[str]:
    """Yield every text in the program, and every path that is joined from texts and names of texts."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = _spell(node.value, names)
            if text is not None:
                names[node.targets[0].id] = text
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.BinOp | ast.Call | ast.JoinedStr):
            text = _spell(node, names)
            if text is not None:
                yield text


def _spell(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """Return the text of an expression, or ``None`` where it depends on more than texts."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _join([_spell(left, names), _spell(right, names)])
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [_spell(left, names), _spell(right, names)]
            return None if None in parts else "".join(part or "" for part in parts)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments) if name in _PATH_CALLS:
            return _join([_spell(argument, names) for argument in arguments])
        case ast.JoinedStr(values=values):
            parts = [_spell(value.value if isinstance(value, ast.FormattedValue) else value, names) for value in values]
            return None if None in parts else "".join(part or "" for part in parts)
    return None


def _join(parts: list[str | None]) -> str | None:
    texts = [part for part in parts if part is not None]
    return posixpath.join(*texts) if texts and len(texts) == len(parts) else None
