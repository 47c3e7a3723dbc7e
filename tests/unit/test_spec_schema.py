"""The schema that editors use and the loader agree on what a spec is."""

import copy
import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reprobox.errors import SpecError
from reprobox.spec.load import parse_spec
from reprobox.spec.model import Determinism, Resources, Source, Spec, Stages
from reprobox.spec.schema import MODELINE, SCHEMA_PATH, format_schema, spec_schema

SHA = "ab" * 32
FULL = {
    "reprobox": 1,
    "name": "digits-cnn",
    "seed": 32,
    "python": "3.11",
    "base": {"debian": "12"},
    "frameworks": {"torch": "2.13.0+cpu", "numpy": "2.3.5"},
    "packages": {"list": ["pillow==12.0.0", "tqdm>=4,<5"]},
    "indexes": ["https://download.example/whl/cpu"],
    "system": ["libgomp1", "git"],
    "run": ["echo hello"],
    "cuda": "12.4",
    "cudnn": "9.1",
    "determinism": {"level": "bitwise", "threads": 1, "tf32": False, "hash_seed": 0, "cublas_workspace": ":4096:8"},
    "source": {"include": ["src/**"], "exclude": ["*.pyc"]},
    "env": {"DEBUG": "1", "EMPTY": ""},
    "stages": {"prepare": "python prepare.py", "train": {"command": ["python", "train.py"], "outputs": ["m.pt"]}},
    "inputs": {"train.csv": SHA, "images": {"path": "data/images", "sha256": SHA}},
    "outputs": ["*.pt", "log.txt"],
    "network": "none",
    "resources": {"cpus": 2, "memory": "8g", "shm": "1g", "timeout": "2h"},
}
TEXTS = """x|off|yes|none|debian:12|bookworm|3.11|12|
a b|a\nb|a\tb|a"b|a'b|a$b|a\\b|../x|/etc/passwd|a/../../b|~/x|*.pt|!x|#x|.|
8g|1.5g|2h|90|:4096:8|avx2|numpy|numpy==1.0|numpy @ https://x/y|-r requirements.txt|https://u:p@x.example/|A|a:b|./x||
https://x.example/simple|2.13.0|>=2|latest|python train.py|x && y|1e3|\u2028|  |\0""".replace("|\n", "|").split("|")
ODD = [
    *TEXTS, SHA, f"sha256:{SHA}", None, True, False, 0, 1, -1, 7, 2**32, 4.5,
    [], ["x"], [1], ["x", "x"], [None], [["x"]], {}, {"x": "y"}, {"command": "x"}, {"path": "x"}, {"list": ["x"]},
    {"path": "x", "sha256": SHA}, {"image": "python:3.11"}, {"archive": "x.tar"}, {"debian": 12, "image": "x"},
    {"train": "x"},
]  # fmt: skip
KEYS = [
    "",
    "x",
    "nam",
    "torch",
    "PATH",
    "A B",
    "command",
    "stages",
    "list",
    "../x",
    "a:b",
    "network",
    "cudnn",
    "threads",
]


def schema_accepts(data):
    return Draft202012Validator(spec_schema()).is_valid(data)


def loader_problems(data):
    try:
        parse_spec(json.dumps(data), "spec.yaml", None)
    except SpecError as exc:
        return exc.problems
    return ()


# What only the loader can know: relations between values, and what a pattern cannot say.
BEYOND = """listed twice|has Python|too large|has a marker|is a file|would be mounted inside|too small|
meaning only to a shell|not closed|cannot be split|contradicts|looks like a secret|out of range|is not a duration|
not a package|which is not a program|no Debian release|is a URL|looks like a JSON list|not an exact version|
here-document|would refuse|reprobox sets itself|not a plain name|is not a plain integer|there is no Python|
whole number of bytes|contains a NUL|is not a CUDA version|is not a cuDNN version|
cpu sets""".replace("\n", "").split("|")


def places(data, path=()):
    """Every place in nested data, as a path."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from places(value, (*path, index))


def change(data, path, value):
    if not path:
        return value
    parent = data
    for step in path[:-1]:
        parent = parent[step]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return data


@st.composite
def mutated_specs(draw):
    data = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from([place for place in places(data) if place]))
        if draw(st.booleans()):
            data = change(data, path, copy.deepcopy(draw(st.sampled_from([..., *ODD]))))
        else:
            parent = path if isinstance(FULL.get(path[0]), dict) and len(path) == 1 else ()
            target = data[path[0]] if parent and isinstance(data[path[0]], dict) else data
            target[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return data


def test_the_schema_is_a_valid_schema():
    Draft202012Validator.check_schema(spec_schema())


def test_the_full_example_is_accepted_by_both():
    assert schema_accepts(FULL)
    assert loader_problems(FULL) == ()


@pytest.mark.long
@settings(max_examples=250, deadline=None)
@given(mutated_specs())
def test_schema_and_loader_agree_on_mutated_specs(data):
    problems = loader_problems(data)
    if schema_accepts(data):
        beyond = [str(problem) for problem in problems if not any(part in problem.message for part in BEYOND)]
        assert not beyond, "the schema accepts what the loader refuses"
    else:
        assert problems, [error.message for error in Draft202012Validator(spec_schema()).iter_errors(data)]


@pytest.mark.parametrize(
    ("model", "properties"),
    [
        (Spec, spec_schema()["properties"]),
        (Determinism, spec_schema()["properties"]["determinism"]["anyOf"][2]["properties"]),
        (Source, spec_schema()["properties"]["source"]["properties"]),
        (Stages, spec_schema()["properties"]["stages"]["properties"]),
        (Resources, spec_schema()["properties"]["resources"]["properties"]),
    ],
)
def test_every_field_of_the_model_is_in_the_schema(model, properties):
    assert {field.name for field in fields(model)} - {"requirements", "from_source"} == set(properties)


def test_every_top_level_key_has_a_description():
    assert all(entry["description"].endswith(".") for entry in spec_schema()["properties"].values())


def test_the_schema_as_text_is_json_and_the_modeline_names_its_file():
    assert json.loads(format_schema()) == spec_schema()
    assert MODELINE.endswith(f"$schema={SCHEMA_PATH}")
