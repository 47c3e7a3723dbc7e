"""Read what Python files and notebooks say about themselves, without running them."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

from reprobox.scaffold.path_texts import list_texts

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([A-Za-z_][\w.]*)[ \t]+import\b|import[ \t]+([A-Za-z_][\w., \t]*))", re.MULTILINE
)
_MAGIC = re.compile(r"^\s*[%!?].*$", re.MULTILINE)
_OUTPUT = re.compile(r"/output/([A-Za-z0-9_][A-Za-z0-9._/\-]*\.[A-Za-z0-9]+)")
_SEED_NAMES = frozenset(
    {"seed", "random_seed", "random_state", "manual_seed", "set_seed", "set_random_seed", "seed_everything"}
)


@dataclass(frozen=True)
class CodeFacts:
    """What one or several pieces of code say."""

    imports: frozenset[str] = frozenset()
    """Top-level modules that are imported, the optional ones left out."""
    optional: frozenset[str] = frozenset()
    """Those imported only where their absence is caught."""
    seeds: tuple[int, ...] = ()
    outputs: frozenset[str] = frozenset()
    """Files written below /output, relative to it."""
    reads_input: bool = False
    """Whether a path below /input is mentioned."""
    runs: bool = False
    """Whether it is a program rather than a module."""

    def __or__(self, other: CodeFacts) -> CodeFacts:
        return CodeFacts(
            self.imports | other.imports,
            self.optional | other.optional,
            self.seeds + other.seeds,
            self.outputs | other.outputs,
            self.reads_input or other.reads_input,
            self.runs or other.runs,
        )


def read_python(data: bytes) -> CodeFacts:
    """Read a Python file; one of another Python, or a broken one, is searched line by line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in somebody's string
            tree = ast.parse(data)
        return _read_tree(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _read_lines(data.decode("utf-8", errors="replace"))


def read_notebook(data: bytes) -> CodeFacts:
    """Read the code cells of a Jupyter notebook."""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        return CodeFacts()
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    sources = [_read_cell(cell) for cell in cells] if isinstance(cells, list) else []
    facts = (read_python(source.encode("utf-8", errors="replace")) for source in sources)
    return reduce(CodeFacts.__or__, facts, CodeFacts())


def _read_cell(cell: object) -> str:
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return ""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return _MAGIC.sub("", source) if isinstance(source, str) else ""


def _read_lines(text: str) -> CodeFacts:
    names = set()
    for single, several in _IMPORT.findall(text):
        names |= {single} if single else {part.split()[0] for part in several.split(",") if part.split()}
    return CodeFacts(imports=frozenset(_top_modules(names))) | _read_texts([text])


def _read_tree(tree: ast.Module) -> CodeFacts:
    optional = set(_top_modules(_imported(_guarded(tree))))
    imports = set(_top_modules(_imported(ast.walk(tree))))
    facts = CodeFacts(
        imports=frozenset(imports - optional),
        optional=frozenset(optional),
        seeds=tuple(_seeds(tree)),
        runs=any(_is_main_guard(node) for node in tree.body),
    )
    return facts | _read_texts(list_texts(tree))


def _read_texts(texts: Iterable[str]) -> CodeFacts:
    whole = "\n".join(texts)
    outputs = (path for path in _OUTPUT.findall(whole) if ".." not in path and "//" not in path)
    return CodeFacts(outputs=frozenset(outputs), reads_input="/input/" in whole)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _guarded(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield everything that runs only if an import works, or only for a type checker."""
    for node in ast.walk(tree):
        guarded = isinstance(node, ast.Try) and any(_catches_import(handler) for handler in node.handlers)
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if guarded or typing:
            for child in node.body:  # type: ignore[attr-defined]
                yield from ast.walk(child)


def _catches_import(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and bool(re.search("ImportError|ModuleNotFoundError", ast.dump(handler.type)))


def _top_modules(names: Iterable[str]) -> Iterator[str]:
    yield from (name.split(".")[0] for name in names)


def _seeds(tree: ast.Module) -> Iterator[int]:
    """Yield integers that are given to something called seed."""
    for node in ast.walk(tree):
        value: ast.expr | None = None
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[first, *_]) if name in _SEED_NAMES:
                value = first
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.lower() in _SEED_NAMES:
                pass
            case _:
                value = None
        if isinstance(value, ast.Constant) and type(value.value) is int:
            yield value.value


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
