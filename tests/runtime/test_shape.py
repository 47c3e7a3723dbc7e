"""What the runtime's files may look like, on any Python."""

import ast
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parents[2] / "reprobox" / "_runtime"
FILES = sorted(RUNTIME.rglob("*.py"))
BUILT_IN = {"_json", "_signal", "_thread", "atexit", "errno", "itertools", "time"}
LOADED_BEFORE_SITE = {"os", "sys", "_frozen_importlib", "_frozen_importlib_external"}
WHERE_IT_IS_LOADED_ANYWAY = {
    "children.py": {"multiprocessing"},
    "entrypoint.py": {"reprobox_runtime.command"},
    "memory.py": {"resource"},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RUNTIME)))
def test_every_file_is_python_3_6(path):
    ast.parse(path.read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RUNTIME)))
def test_nothing_is_imported_that_a_user_could_have_a_file_of_the_same_name_for(path):
    names = {name for node in ast.walk(ast.parse(path.read_text())) for name in _imported(node)}
    assert names <= BUILT_IN | LOADED_BEFORE_SITE | WHERE_IT_IS_LOADED_ANYWAY.get(path.name, set())


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module]
    return []


def _backends():
    tree = ast.parse((RUNTIME / "backends" / "__init__.py").read_text())
    (value,) = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "BACKENDS"]
    return ast.literal_eval(value)


def test_every_backend_is_in_the_dict_and_every_entry_is_a_backend():
    modules = {path.stem for path in (RUNTIME / "backends").glob("*.py")} - {"__init__"}
    assert modules == set(_backends())


@pytest.mark.parametrize("name", _backends())
def test_every_backend_has_the_same_functions(name):
    tree = ast.parse((RUNTIME / "backends" / f"{name}.py").read_text())
    public = {node.name: [argument.arg for argument in node.args.args] for node in tree.body if _is_public(node)}
    assert public == {
        "find_version": ["module"],
        "seed": ["module", "seed", "event"],
        "list_switches": ["module", "switches"],
    }


def _is_public(node):
    return isinstance(node, ast.FunctionDef) and not node.name.startswith("_")


def test_the_pth_file_is_one_import_line_for_the_place_in_the_image():
    (line,) = (RUNTIME / "reprobox.pth").read_text().splitlines()
    assert line.startswith("import ")
    assert "/opt/reprobox" in line
