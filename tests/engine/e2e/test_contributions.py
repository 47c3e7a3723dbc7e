"""Contributions on the real engine: written by the program, found out by shuffling, shown, compared."""

import csv
import hashlib
import json
import random
import signal
import subprocess
import time

import docker
import pytest
from program import PROGRAM, call_program

from reprobox.contributions.runs import read_folder

pytestmark = pytest.mark.network

PREPARE = """
import csv, json
rows = list(csv.DictReader(open("/input/data/sub/test.csv")))
json.dump([[float(row["weak"]), float(row["strong, very"])] for row in rows], open("/output/features.json", "w"))
"""
TRAIN = """
import csv, json
import numpy
from reprobox_runtime import contributions

rows = list(csv.DictReader(open("/input/train")))
x = numpy.array([[float(row["weak"]), float(row["strong, very"])] for row in rows])
weights = numpy.linalg.lstsq(x, numpy.array([float(row["y"]) for row in rows]), rcond=None)[0]
json.dump(weights.tolist(), open("/output/model.json", "w"))
contributions.write(
    ["weak", "strong, very"], weights, method="coefficient", importance_type="coefficient", data_split="train",
    metric="not applicable: read off the fitted line", sign="signed", library="numpy " + numpy.__version__,
)
"""
PREDICT = """
import csv, json, os
weak, strong = json.load(open("/output/model.json"))
rows = list(csv.DictReader(open("/input/data/sub/test.csv")))
if os.environ["READS"] == "features":
    rows = [dict(row, **dict(zip(("weak", "strong, very"), pair)))
            for row, pair in zip(rows, json.load(open("/output/features.json")))]
with open("/output/predictions.csv", "w") as stream:
    stream.write("id,predicted\\n")
    for row in rows:
        stream.write("%s,%r\\n" % (row["id"], weak * float(row["weak"]) + strong * float(row["strong, very"])))
"""
SPEC = """reprobox: 1
name: contributions
seed: 32
packages: [numpy==2.4.6]
source: {{include: ["*.py"]}}
env: {{READS: {reads}}}
inputs:
  train: {{path: train.csv, sha256: {train}}}
  data: {{path: data, sha256: {data}}}
stages:
  prepare: {{command: python prepare.py, outputs: [features.json]}}
  train: {{command: python train.py, outputs: [model.json, contributions.csv]}}
  predict: {{command: python predict.py, outputs: [predictions.csv]}}
"""


def write_tables(folder):
    """Plant y = weak + 5 strong + noise, a column that nothing reads, and a key."""
    draw = random.Random(1)
    (folder / "data" / "sub").mkdir(parents=True)
    tables = {"train.csv": 200, "data/sub/test.csv": 50}
    for name, count in tables.items():
        rows = [[draw.random() for _ in range(3)] for _ in range(count)]
        targets = [weak + 5 * strong + draw.gauss(0, 0.1) for weak, strong, _ in rows]
        with (folder / name).open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "weak", "strong, very", "unused", *(["y"] if name == "train.csv" else [])])
            for number, (row, y) in enumerate(zip(rows, targets, strict=True)):
                writer.writerow([f"k{number}", *row, *([y] if name == "train.csv" else [])])
    # The judge's, in another order than the predictions.
    lines = [f"k{number},{y}" for number, y in enumerate(targets)]
    (folder / "labels.csv").write_text("\n".join(["id,y", *reversed(lines)]) + "\n")


def write_spec(folder, reads):
    line = f"{hashlib.sha256((folder / 'data/sub/test.csv').read_bytes()).hexdigest()}  ./sub/test.csv\0"
    digests = {
        "train": hashlib.sha256((folder / "train.csv").read_bytes()).hexdigest(),
        "data": hashlib.sha256(line.encode()).hexdigest(),
    }
    (folder / "spec.yaml").write_text(SPEC.format(reads=reads, **digests))


@pytest.fixture(scope="module")
def project(tmp_path_factory, fresh_lock):
    folder = tmp_path_factory.mktemp("contributions") / "contributions"
    folder.mkdir()
    write_tables(folder)
    for name, script in (("prepare", PREPARE), ("train", TRAIN), ("predict", PREDICT)):
        (folder / f"{name}.py").write_text(script)
    write_spec(folder, "table")
    fresh_lock(folder)
    call_program("run", cwd=folder)
    yield folder
    docker.APIClient().remove_image("reprobox/contributions:latest", force=True)


def permute(project, *options, check=True):
    done = call_program("contributions", "--permute", "--input", "data", *options, cwd=project, check=check)
    if done.code:
        return done, None
    folders = sorted((project / ".reprobox" / "contributions").iterdir())
    return done, folders[-1]


def test_what_the_program_wrote_is_shown(project):
    (found,) = call_program("contributions", "--json", cwd=project).json["contributions"]
    assert [row["feature"] for row in found["rows"]] == ["strong, very", "weak"]
    assert (found["sign"], found["library"], found["rows"][0]["seed"]) == ("signed", "numpy 2.4.6", 32)
    assert "   1  strong, very  " in call_program("contributions", cwd=project).stdout


def test_the_planted_variable_comes_first_and_an_unused_one_has_exactly_zero(project):
    before = {path.name for path in (project / ".reprobox" / "runs").iterdir()}
    done, folder = permute(project, "--labels", "labels.csv", "--repeats", "3")
    found = read_folder(folder)
    assert [row.feature for row in found.rows] == ["strong, very", "weak", "unused"]
    assert found.rows[0].importance > 1 > found.rows[1].importance > 0.1
    assert found.rows[2].importance == found.rows[2].std == 0
    row = found.rows[0]
    assert (row.method, row.importance_type, row.metric) == ("permutation", "increase in rmse", "rmse")
    assert (row.data_split, row.n_repeats, row.seed) == ("input data/sub/test.csv", 3, 32)
    assert "left out id: it ties predictions to labels" in done.stderr
    assert "cost     3 columns × 3 repeats × " in done.stderr
    assert str(folder) in done.stdout
    record = json.loads((folder / "permutation.json").read_text())
    assert 0.05 < record["baseline"] < 0.2
    assert record["from_run"] in before
    assert {path.name for path in folder.iterdir()} == {
        "contributions.csv",
        "contributions.meta.json",
        "permutation.json",
    }
    # The runs on shuffled tables are nobody's runs.
    assert {path.name for path in (project / ".reprobox" / "runs").iterdir()} == before


@pytest.mark.long
def test_it_gives_the_same_bytes_twice_and_two_at_once(project):
    options = ("--labels", "labels.csv", "--metric", "mae", "--repeats", "2", "--columns", 'weak,"strong, very"')
    first, second = (permute(project, *options, "--jobs", jobs)[1] for jobs in "12")
    assert first != second
    assert (first / "contributions.csv").read_bytes() == (second / "contributions.csv").read_bytes()
    assert [row.importance_type for row in read_folder(first).rows] == ["increase in mae"] * 2


def test_without_labels_the_shift_of_the_predictions_counts(project):
    done, folder = permute(project, "--repeats", "1", "--top", "1")
    (row,) = read_folder(folder).rows
    assert (row.feature, row.importance_type, row.std) == ("strong, very", "mean prediction shift", None)
    assert "baseline" not in done.stderr


def test_ctrl_c_leaves_nothing_half_written_and_the_next_goes_on(project):
    kept = project / ".reprobox" / "contributions"
    kept.mkdir(exist_ok=True)
    before = {path.name for path in kept.iterdir()}
    arguments = [PROGRAM, "contributions", "--permute", "--input", "data", "--repeats", "500"]
    with subprocess.Popen(arguments, cwd=project, stderr=subprocess.PIPE, text=True) as running:
        assert any(line.startswith("cost") for line in running.stderr)
        deadline = time.monotonic() + 60
        while not (kept / "unfinished.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        running.stderr.read()
    assert running.returncode == 130
    assert {path.name for path in kept.iterdir()} == {*before, "unfinished.json"}
    assert not docker.APIClient().containers(filters={"ancestor": "reprobox/contributions:latest"})
    done = call_program("contributions", "--permute", "--input", "data", "--repeats", "1", cwd=project)
    assert "known    1 of these runs, from a permutation that ended early" in done.stderr
    assert not (kept / "unfinished.json").exists()


def test_a_table_that_predict_reads_by_way_of_an_earlier_stage_is_told(project):
    write_spec(project, "features")
    try:
        call_program("run", cwd=project)
        done, _ = permute(project, check=False)
    finally:
        write_spec(project, "table")
    assert done.code == 2
    assert "reads features that an earlier stage made of them" in done.stderr


def test_verify_says_that_the_order_is_the_same(project):
    done = call_program("verify", "--runs", "2", "--json", cwd=project)
    (one,) = done.json["contributions"]
    assert one["agreements"][0]["spearman"] == 1
    assert "contributions: Spearman 1, top 2: 2 the same" in done.json["notes"]


AWK = "#!/bin/sh\nawk -F, 'NR > 1 { print 3 * $1 + $2 }' /input/rows > /output/predictions.csv\n"
AWK_SPEC = """reprobox: 1
name: contributions-awk
seed: 32
source: {{include: [predict.sh]}}
inputs: {{rows: {{path: rows.csv, sha256: {digest}}}}}
stages:
  predict: {{command: sh predict.sh, outputs: [predictions.csv]}}
"""


@pytest.mark.long
def test_any_language_will_do_and_so_will_one_stage(tmp_path, fresh_lock):
    rows = "strong,weak,unused\n" + "".join(f"{at * 7 % 20}.5,{at * 3 % 20}.5,{at}\n" for at in range(20))
    (tmp_path / "rows.csv").write_text(rows)
    (tmp_path / "predict.sh").write_text(AWK)
    (tmp_path / "spec.yaml").write_text(AWK_SPEC.format(digest=hashlib.sha256(rows.encode()).hexdigest()))
    fresh_lock(tmp_path)
    try:
        done = call_program("contributions", "--permute", "--repeats", "2", "--json", cwd=tmp_path)
    finally:
        docker.APIClient().remove_image("reprobox/contributions-awk:latest", force=True)
    (found,) = done.json["contributions"]
    assert [row["feature"] for row in found["rows"]] == ["strong", "weak", "unused"]
    assert found["rows"][2]["importance"] == 0
    assert found["baseline"] is None
    assert "column 'unused' is in order from the first row to the last" in done.stderr
