"""What the runtime's files may look like, on any Python."""

import ast
import json
import re
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parents[2] / "reprobox" / "_runtime"
FILES = sorted(RUNTIME.rglob("*.py"))
BUILT_IN = {"_blake2", "_json", "_signal", "_struct", "_thread", "_weakref", "atexit", "errno", "itertools", "time"}
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
    assert public.pop("watch", ["module", "streams"]) == ["module", "streams"]
    assert public == {
        "find_version": ["module"],
        "seed": ["module", "seed", "event"],
        "list_switches": ["module", "switches"],
    }


def _is_public(node):
    return isinstance(node, ast.FunctionDef) and not node.name.startswith("_")


def test_every_fact_about_versions_has_a_source_and_they_are_in_order():
    facts = json.loads((RUNTIME / "versions.json").read_text())
    assert list(facts) == sorted(facts)
    for fact in facts.values():
        assert set(fact) - {"until", "instead"} == {"package", "since", "source"}
        assert fact["source"]
        assert all(fact[key].replace(".", "").isdigit() for key in {"since", "until"} & set(fact))


NAMES_FIRST = {"Switch", "attribute_switch", "environment_switch"}
"""What makes a switch takes its name as the first argument."""
WITHOUT_VERSIONS = {
    "PYTHONHASHSEED": "every Python that there is an image of",
    "catboost thread_count": "every version with wheels",
    "lightgbm num_threads": "every version with wheels",
    "xgboost nthread": "every version with wheels",
}
"""Switches that ``versions.json`` leaves out -> which versions have them."""


def _list_switch_names(path):
    """Yield a pattern for the name of each switch that a file makes: what is put in at run time may be anything."""
    tree = ast.parse(path.read_text())
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        known = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                known.update(_pair(node.targets[0], node.value))
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in NAMES_FIRST:
                prefix = "environment " if call.func.id == "environment_switch" else ""
                yield re.escape(prefix) + _make_pattern(call.args[0], known)


def _pair(target, value):
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [pair for one in zip(target.elts, value.elts, strict=True) for pair in _pair(*one)]
    return [(target.id, value)] if isinstance(target, ast.Name) else []


def _make_pattern(node, known):
    match node:
        case ast.Constant():
            return re.escape(node.value)
        case ast.Name() if node.id in known:
            return _make_pattern(known[node.id], {})
        case ast.BinOp(op=ast.Add()):
            return _make_pattern(node.left, known) + _make_pattern(node.right, known)
        case ast.BinOp(left=ast.Constant(), op=ast.Mod()):
            return ".+".join(re.escape(part) for part in re.split("%[sd]", node.left.value))
    return ".+"


SWITCHING = [*sorted((RUNTIME / "backends").glob("*.py")), RUNTIME / "tensorflow_graphs.py"]
NO_SWITCHES = {"tf.random.set_seed", "tf.compat.v1.set_random_seed", "torch.cuda.random", "torch._inductor.config"}
_WHOLE_NAME = r"(torch|tf|theano|chainer)\.(\w+\.)+\w+|torch\.(use|set)_\w+|FLAGS_\w+|XLA_FLAGS: \w+|lightgbm \w+"


@pytest.mark.parametrize("path", SWITCHING, ids=lambda path: path.stem)
def test_every_switch_of_a_backend_has_its_versions(path):
    facts = json.loads((RUNTIME / "versions.json").read_text()).keys() | WITHOUT_VERSIONS.keys()
    patterns = set(_list_switch_names(path))
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in facts)] == []
    # Names that come out of a table, or that are handed on.
    texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    named = {text for text in texts if isinstance(text, str) and re.fullmatch(_WHOLE_NAME, text)}
    assert named - NO_SWITCHES <= facts


def test_every_fact_about_versions_is_one_of_a_switch():
    patterns = {pattern for path in SWITCHING for pattern in _list_switch_names(path)} - {".+"}
    text = "".join(path.read_text() for path in SWITCHING)
    assert [
        name
        for name in json.loads((RUNTIME / "versions.json").read_text())
        if f'"{name}"' not in text and not any(re.fullmatch(pattern, name) for pattern in patterns)
    ] == []


def test_the_pth_file_is_one_import_line_for_the_place_in_the_image():
    (line,) = (RUNTIME / "reprobox.pth").read_text().splitlines()
    assert line.startswith("import ")
    assert "/opt/reprobox" in line
