"""The systems this project was born from: published numbers come out again, and every run leaves the same bytes."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from program import call_program

pytestmark = pytest.mark.network

EXAMPLES = Path(__file__).parents[3] / "examples"
PUBLISHED = [
    0.169326527063,
    2.75750621228e-05,
    0.0183287291562,
    1.93553737255e-07,
    0.0549871087449,
    0.0906326807824,
    0.00337575114075,
    0.00414857518259,
    8.14587362008e-08,
    0.0522927019639,
]
"""What the tutorial's author got of ten MLPs with Keras 2.0.3 on Theano 0.9 and seed 1, in 2017."""
FIRST_OF_SEED_32 = 0.8588892672930397
NAMES = [*sorted(path.parent.name for path in EXAMPLES.glob("museum-*/spec.yaml")), "leaks"]
OFTEN = ("leaks",)
VISITS = [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in NAMES]
"""Building and running the others takes long."""
TWINS = {
    "museum-chainer-cnn": ("environment.json", "functions.json"),
    "museum-tensorflow-cnn": ("metrics.json",),
    "museum-torch-cnn": ("metrics.json",),
}


@pytest.fixture(scope="module")
def museum(tmp_path_factory, fresh_lock):
    """Copy and build an example when it is first asked for; return its folder and what five runs were found to be."""
    seen = {}

    def visit(name):
        if name not in seen:
            folder = copy_example(name, tmp_path_factory.mktemp(name))
            fresh_lock(folder)
            seen[name] = folder, call_program("verify", "--json", "--runs=5", "--jobs=3", folder, timeout=1200).json
        return seen[name]

    return visit


def copy_example(name, place):
    folder = place / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".reprobox"))
    return folder


def output_of(museum, name):
    folder, found = museum(name)
    return folder / ".reprobox" / "runs" / found["runs"][0]["run"] / "output"


@pytest.mark.parametrize("name", VISITS)
def test_five_runs_leave_the_same_bytes(museum, name):
    _, found = museum(name)
    assert (found["verdict"], found["agreeing"], found["level"]) == ("IDENTICAL", 5, "bitwise")
    assert [run["exit_code"] for run in found["runs"]] == [0] * 5
    one, *others = [run["outputs"] for run in found["runs"]]
    assert one
    assert others == [one] * 4


@pytest.mark.parametrize("name", VISITS)
def test_without_determinism_some_output_differs(museum, tmp_path, name):
    folder, found = museum(name)
    spec = folder / "spec.yaml"
    other = tmp_path / "spec.yaml"
    shutil.copytree(folder, tmp_path, ignore=shutil.ignore_patterns(".reprobox"), dirs_exist_ok=True)
    text = spec.read_text().replace("determinism: bitwise", "determinism: off")
    # Compiling takes most of the time, and has no part in this.
    other.write_text(text.replace("KERAS_BACKEND: theano", "KERAS_BACKEND: theano\n  THEANO_FLAGS: cxx="))
    done = call_program("verify", "--json", "--runs=2", "--jobs=2", tmp_path, check=False)
    assert (done.code, done.json["verdict"], done.json["level"]) == (1, "DIFFERENT", "off"), done.stderr
    one, two = (run["outputs"] for run in done.json["runs"])
    assert one.keys() == two.keys() == found["runs"][0]["outputs"].keys()
    assert one != two


def read_column(path, name):
    with path.open(newline="") as stream:
        return [float(row[name]) for row in csv.DictReader(stream)]


@pytest.mark.long
def test_the_tutorials_numbers_come_out_again(museum):
    errors = read_column(output_of(museum, "museum-keras-theano") / "errors.csv", "error")
    assert errors == pytest.approx(PUBLISHED, rel=1e-3, abs=0)


@pytest.mark.long
def test_the_same_script_runs_on_tensorflow(museum):
    errors = read_column(output_of(museum, "museum-keras-tensorflow") / "errors.csv", "error")
    assert len(set(errors)) == 10
    assert all(0 < error < 1 for error in errors)
    scripts = {(EXAMPLES / f"museum-keras-{name}" / "train.py").read_bytes() for name in ("theano", "tensorflow")}
    assert len(scripts) == 1


@pytest.mark.long
def test_an_initializer_of_ones_own_draws_what_its_seed_gives(museum):
    weights = read_column(output_of(museum, "museum-keras-initializer") / "weights.csv", "weight")
    assert weights[0] == pytest.approx(FIRST_OF_SEED_32, rel=1e-7, abs=0)
    assert len(set(weights)) == 3 * 4 + 4 * 1


@pytest.mark.long
def test_both_of_chainers_ways_leave_the_same_bytes(museum):
    output = output_of(museum, "museum-chainer-cnn")
    for kind in ("json", "npz"):
        one, other = (output / f"{way}.{kind}" for way in ("environment", "functions"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.long
def test_the_twins_see_the_same_pictures_and_learn(museum):
    found = [
        json.loads((output_of(museum, name) / output).read_text())
        for name, outputs in TWINS.items()
        for output in outputs
    ]
    assert len({one["data"] for one in found}) == 1
    assert all(one["accuracy"] > 0.8 for one in found)
    assert all(one["losses"][-1] < one["losses"][0] / 2 for one in found)
    assert len({(EXAMPLES / name / "shapes.py").read_bytes() for name in TWINS}) == 1


def test_the_leaks_are_named_with_their_lines(museum, tmp_path):
    folder, _ = museum("leaks")
    shutil.copytree(folder, tmp_path, ignore=shutil.ignore_patterns(".reprobox"), dirs_exist_ok=True)
    spec = tmp_path / "spec.yaml"
    spec.write_text(spec.read_text().replace("determinism: bitwise", "determinism: off"))
    found = call_program("verify", "--json", "--runs=2", "--jobs=2", tmp_path, check=False).json
    kinds = {suspect["kind"] for suspect in found["suspects"]}
    assert {"hash-order", "listing-order", "unseeded-generator", "completion-order", "thread-count"} <= kinds


@pytest.mark.long
def test_the_record_says_what_was_seeded(museum):
    folder, found = museum("museum-keras-theano")
    record = json.loads((folder / ".reprobox" / "runs" / found["runs"][0]["run"] / "run.json").read_text())
    processes = record["runtime"]["processes"]
    seen = {name: entry for process in processes for name, entry in process.get("backends", {}).items()}
    assert {"numpy", "random"} <= seen.keys()
    assert (seen["theano"]["version"], seen["keras"]["version"]) == ("0.9.0", "2.0.3")
    switches = {name: entry for process in processes for name, entry in process.get("switches", {}).items()}
    for kind in ("filter", "data"):
        entry = switches[f"theano.config.dnn.conv.algo_bwd_{kind}"]
        assert (entry["status"], entry["value"]) == ("set", "deterministic")
