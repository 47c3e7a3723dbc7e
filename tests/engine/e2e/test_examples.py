"""Every example, for real: five runs leave the same bytes, and without determinism they do not."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from program import call_program

from reprobox.contributions.runs import read_folder

pytestmark = pytest.mark.network

EXAMPLES = Path(__file__).parents[3] / "examples"
ALL = sorted(path.name for path in EXAMPLES.iterdir() if (path / "spec.yaml").exists())
NAMES = [name for name in ALL if name != "leaks" and not name.startswith("museum-")]
"""The others are in test_museum.py."""


OFTEN = ("digits-torch",)
VISITS = [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in NAMES]


@pytest.fixture(scope="module", params=VISITS)
def example(request, tmp_path_factory, fresh_lock):
    """A copy of an example, built, and what five runs of it were found to be."""
    folder = tmp_path_factory.mktemp(request.param) / request.param
    shutil.copytree(EXAMPLES / request.param, folder, ignore=shutil.ignore_patterns(".reprobox"))
    fresh_lock(folder)
    return folder, call_program("verify", "--json", "--runs=5", "--jobs=2", folder, timeout=1200).json


def list_runs(example):
    folder, found = example
    return [folder / ".reprobox" / "runs" / run["run"] for run in found["runs"]]


def read_records(example):
    return [json.loads((folder / "run.json").read_text()) for folder in list_runs(example)]


@pytest.fixture(scope="module")
def uncontrolled(example, tmp_path_factory):
    """The same example at ``determinism: off``, and what two runs of it were found to be."""
    folder = tmp_path_factory.mktemp("off") / example[0].name
    shutil.copytree(example[0], folder, ignore=shutil.ignore_patterns(".reprobox"))
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace("determinism: bitwise", "determinism: off"))
    # One at a time: without the level each takes every processor, and two of them wait for each other's threads.
    return call_program("verify", "--json", "--runs=2", folder, check=False, timeout=900)


def test_every_example_has_a_committed_lock():
    assert [name for name in ALL if not (EXAMPLES / name / "spec.lock").exists()] == []


def test_five_runs_leave_the_same_outputs(example):
    _, found = example
    assert (found["verdict"], found["agreeing"], found["level"]) == ("IDENTICAL", 5, "bitwise")
    one, *others = [run["outputs"] for run in found["runs"]]
    assert one
    assert others == [one] * 4


def test_all_runs_are_whole_and_of_one_image(example):
    records = read_records(example)
    assert len({record["image_digest"] for record in records}) == 1
    assert [(record["exit_code"], record["missing_outputs"]) for record in records] == [(0, [])] * 5


def test_nothing_in_an_example_is_suspect(example):
    assert [record["suspects"] for record in read_records(example)] == [[]] * 5


@pytest.mark.long
def test_without_determinism_some_output_differs(uncontrolled):
    found = uncontrolled.json
    assert (uncontrolled.code, found["verdict"], found["level"]) == (1, "DIFFERENT", "off"), uncontrolled.stderr
    one, other = (run["outputs"] for run in found["runs"])
    assert one.keys() == other.keys()
    assert one != other


def test_the_example_does_what_it_is_there_for(example):
    folder, _ = example
    run = list_runs(example)[0]
    output, log = run / "output", (run / "log.txt").read_text()
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
    contributions = read_folder(output)
    assert len(contributions.rows) == 30
    assert contributions.sum_to_one
    assert contributions.library == "sklearn 1.9.1"
    assert json.loads((output / "metrics.json").read_text())["accuracy"] > 0.9


def test_the_record_says_what_was_seeded(example):
    folder, _ = example
    record = read_records(example)[0]
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
    folder = list_runs(example)[0]
    owner = folder.stat().st_uid
    assert {path.stat().st_uid for path in folder.rglob("*")} == {owner}


@pytest.mark.long
@pytest.mark.parametrize("example", ["tabular-sklearn"], indirect=True)
def test_each_stage_runs_alone_on_what_the_stages_before_it_left(example, tmp_path):
    folder, whole = tmp_path / "tabular", read_records(example)[0]
    shutil.copytree(example[0], folder, ignore=shutil.ignore_patterns(".reprobox"))
    early = call_program("run", "--stage", "train", folder, check=False)
    assert (early.code, "run the earlier stages first: `reprobox run --stage prepare`" in early.stderr) == (2, True)
    prepared, trained = (call_program("run", "--json", "--stage", stage, folder) for stage in ("prepare", "train"))
    assert "starts with a copy" not in prepared.stderr
    source = Path(prepared.json["run_dir"])
    assert f"train starts with a copy of 1 output of run {source.name}\n" in trained.stderr
    record = json.loads((Path(trained.json["run_dir"]) / "run.json").read_text())
    assert (record["earlier"]["run"], record["earlier"]["stages"]) == (source.name, ["prepare"])
    predicted = call_program("run", "--json", "--stage", "predict", "--from", trained.json["run_dir"], folder).json
    assert [stage["name"] for stage in predicted["stages"]] == ["predict"]
    assert predicted["outputs"] == {output["path"]: output["sha256"] for output in whole["outputs"]}
