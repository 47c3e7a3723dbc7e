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
    _, found = museum(name)
    copy_changed(museum, name, tmp_path)
    done = call_program("verify", "--json", "--runs=2", "--jobs=2", tmp_path, check=False)
    assert (done.code, done.json["verdict"], done.json["level"]) == (1, "DIFFERENT", "off"), done.stderr
    one, two = (run["outputs"] for run in done.json["runs"])
    assert one.keys() == two.keys() == found["runs"][0]["outputs"].keys()
    assert one != two


def copy_changed(museum, name, place, level="off", changes=()):
    """Copy an example that is built, at another level and with texts of its program replaced."""
    folder, _ = museum(name)
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns(".reprobox"), dirs_exist_ok=True)
    spec, program = place / "spec.yaml", place / "train.py"
    text = spec.read_text().replace("determinism: bitwise", f"determinism: {level}")
    # Compiling takes most of the time, and has no part in this.
    spec.write_text(text.replace("KERAS_BACKEND: theano", "KERAS_BACKEND: theano\n  THEANO_FLAGS: cxx="))
    for old, new in changes:
        code = program.read_text()
        assert code.count(old) == 1, old
        program.write_text(code.replace(old, new))
    return place


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
@pytest.mark.parametrize("level", ["off", "bitwise"])
def test_each_of_chainers_ways_is_in_force_and_the_other_is_not(museum, tmp_path, level):
    """On a CPU nothing else would tell: both compute the same."""
    folder = copy_changed(museum, "museum-chainer-cnn", tmp_path, level)
    run = Path(call_program("run", "--json", folder, timeout=1200).json["run_dir"])
    said = [line for line in (run / "log.txt").read_text().splitlines() if "CHAINER_CUDNN" in line]
    # What bitwise asks for is in force whatever the program does.
    convolutions = "any" if level == "off" else "deterministic"
    assert said == [
        f"environment: CHAINER_CUDNN 0, convolutions {convolutions}, cuDNN for others auto",
        "functions: CHAINER_CUDNN not set, convolutions deterministic, cuDNN for others never",
    ]


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


LEAKS = {
    "hash order": ("words = list(GOOD | BAD)", "words = sorted(GOOD | BAD)"),
    "listing order": ("in os.listdir(folder)", "in sorted(os.listdir(folder))"),
    "workers": ("    connection.send([[value", "    random.seed(1337)\n    connection.send([[value"),
    "thread count": ('int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)', "1"),
    "default_rng": ("np.random.default_rng()", "np.random.default_rng(1337)"),
}
"""Each leak's text in the program, and what stops it there."""
IN_EVERY_RUN = ("hash order", "workers", "default_rng")
"""Those that differ from run to run on one machine; the others differ from one machine to the next."""


NAMED = (
    ("hash-order", "words = list(GOOD | BAD)"),
    ("listing-order", "in os.listdir(folder)"),
    # What its workers draw from, and nobody has seeded.
    ("unseeded-generator", "import random"),
    ("unseeded-generator", "np.random.default_rng()"),
    ("completion-order", "thread.start()"),
)
"""Suspects and what their lines have to hold."""


def leave_only(leak):
    return [change for name, change in LEAKS.items() if name != leak]


def test_the_leaks_are_named_with_their_lines(museum, tmp_path):
    copy_changed(museum, "leaks", tmp_path)
    lines = (tmp_path / "train.py").read_text().splitlines()
    suspects = call_program("verify", "--json", "--runs=2", "--jobs=2", tmp_path, check=False).json["suspects"]
    for kind, text in NAMED:
        (number,) = [number for number, line in enumerate(lines, 1) if text in line]
        assert (kind, f"train.py:{number}") in {(one["kind"], one["where"]) for one in suspects}
    # The machine's own is no line's.
    assert ("thread-count", "") in {(one["kind"], one["where"]) for one in suspects}


@pytest.mark.long
@pytest.mark.parametrize("leak", [*IN_EVERY_RUN, ""])
def test_each_leak_alone_makes_runs_differ_and_without_any_they_agree(museum, tmp_path, leak):
    copy_changed(museum, "leaks", tmp_path, "off", leave_only(leak))
    done = call_program("verify", "--json", "--runs=2", "--jobs=2", tmp_path, check=False)
    assert done.json["verdict"] == ("DIFFERENT" if leak else "IDENTICAL"), done.stderr


@pytest.mark.long
@pytest.mark.parametrize("leak", LEAKS)
def test_each_leak_alone_is_stopped_at_bitwise(museum, tmp_path, leak):
    copy_changed(museum, "leaks", tmp_path, "bitwise", leave_only(leak))
    done = call_program("verify", "--json", "--runs=2", "--jobs=2", tmp_path)
    assert done.json["verdict"] == "IDENTICAL"


@pytest.mark.long
@pytest.mark.parametrize(
    ("leak", "machines"),
    [
        ("thread count", [f'int("{count}")' for count in (2, 3)]),
        ("listing order", [f"in sorted(os.listdir(folder), reverse={back})" for back in (False, True)]),
    ],
)
def test_other_machines_differ_by_their_processors_and_file_systems(museum, tmp_path, leak, machines):
    outputs = []
    for number, machine in enumerate(machines):
        changes = [*leave_only(leak), (LEAKS[leak][0], machine)]
        folder = copy_changed(museum, "leaks", tmp_path / str(number), "off", changes)
        outputs.append(call_program("run", "--json", folder).json["outputs"])
    assert outputs[0] != outputs[1]


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
