"""Every example, for real: three runs leave the same bytes, and without determinism they do not."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from program import call_program

pytestmark = pytest.mark.network

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "spec.yaml").exists())


@pytest.fixture(scope="module", params=NAMES)
def example(request, tmp_path_factory, fresh_lock):
    """A copy of an example, built, with the answers of three runs."""
    folder = tmp_path_factory.mktemp(request.param) / request.param
    shutil.copytree(EXAMPLES / request.param, folder, ignore=shutil.ignore_patterns(".reprobox"))
    fresh_lock(folder)
    return folder, [call_program("run", "--json", folder).json for _ in range(3)]


@pytest.fixture(scope="module")
def uncontrolled(example, tmp_path_factory):
    """The same example at ``determinism: off``, with the answers of two runs."""
    folder = tmp_path_factory.mktemp("off") / example[0].name
    shutil.copytree(example[0], folder, ignore=shutil.ignore_patterns(".reprobox"))
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace("determinism: bitwise", "determinism: off"))
    return [call_program("run", "--json", folder).json for _ in range(2)]


def test_every_example_has_a_committed_lock():
    assert [name for name in NAMES if not (EXAMPLES / name / "spec.lock").exists()] == []


def test_three_runs_leave_the_same_outputs(example):
    _, runs = example
    assert runs[0]["outputs"]
    assert [run["exit_code"] for run in runs] == [0, 0, 0]
    assert [run["missing_outputs"] for run in runs] == [[], [], []]
    assert runs[1]["outputs"] == runs[0]["outputs"]
    assert runs[2]["outputs"] == runs[0]["outputs"]


def test_all_runs_are_of_one_image(example):
    _, runs = example
    assert len({run["image_digest"] for run in runs}) == 1


def test_without_determinism_some_output_differs(uncontrolled):
    one, other = uncontrolled
    assert one["level"] == "off"
    assert one["outputs"].keys() == other["outputs"].keys()
    assert one["outputs"] != other["outputs"]


def test_the_example_does_what_it_is_there_for(example):
    folder, runs = example
    output = Path(runs[0]["run_dir"]) / "output"
    log = (Path(runs[0]["run_dir"]) / "log.txt").read_text()
    check = {"digits-torch": check_digits, "sequence-keras": check_sequence, "tabular-sklearn": check_tabular}
    check[folder.name](output, log)


def read_table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def check_digits(output, log):
    assert json.loads((output / "metrics.json").read_text())["accuracy"] > 0.97
    assert len(re.findall(r"^epoch .*loss=", log, re.MULTILINE)) == 12


def check_sequence(output, log):
    rows = read_table(output / "errors.csv")
    errors = [float(row["error"]) for row in rows]
    assert len(errors) == len(set(errors)) == 10
    assert len(re.findall(r"error=", log)) == 10


def check_tabular(output, log):
    rows = read_table(output / "contributions.csv")
    assert len(rows) == 30
    assert sum(float(row["contribution"]) for row in rows) == pytest.approx(1)
    assert json.loads((output / "metrics.json").read_text())["accuracy"] > 0.9


def test_the_record_says_what_was_seeded(example):
    folder, runs = example
    record = json.loads((Path(runs[0]["run_dir"]) / "run.json").read_text())
    seeded = {name for fragment in record["runtime"]["processes"] for name in fragment.get("backends", {})}
    used = {
        "digits-torch": {"random", "numpy", "torch"},
        "sequence-keras": {"random", "tensorflow", "keras"},
        "tabular-sklearn": {"random", "numpy"},
    }
    assert used[folder.name] <= seeded
    assert record["switches"]["threads"] == 1
    assert record["engine"]["version"]
    assert all(stage["peak_memory"] > 10_000_000 for stage in record["stages"])


def test_outputs_belong_to_whoever_ran_it(example):
    _, runs = example
    folder = Path(runs[0]["run_dir"])
    owner = folder.stat().st_uid
    assert {path.stat().st_uid for path in folder.rglob("*")} == {owner}
