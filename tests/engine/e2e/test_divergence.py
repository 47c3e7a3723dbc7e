"""Traces, the first difference of two runs, and sweeps, on the real engine."""

import json
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import docker
import pytest
from program import PROGRAM, call_program

pytestmark = pytest.mark.network

SCRIPT = """
import os
import random
import subprocess
import sys
import time

import numpy

from reprobox_runtime import log_metric, mark

PLANT = sys.argv[1]
weights = numpy.random.rand(8)
for step in range(1, 13):
    if PLANT == "draws" and step == 7:
        numpy.random.rand(1 + os.urandom(1)[0])
    weights = 0.9 * weights + 0.1 * numpy.random.rand(8)
    if PLANT == "value" and step == 7:
        weights[3] += (1 + int.from_bytes(os.urandom(4), "little")) * 2.0**-50
    mark("weights", weights)
numpy.save("/output/weights.npy", weights)
log_metric("mean", weights.mean())
log_metric("random", random.random())
log_metric("hash", hash("x") % 10**6)
code = "import random; print(random.random())"
log_metric("child", float(subprocess.run([sys.executable, "-c", code], env={}, stdout=subprocess.PIPE).stdout))
if PLANT == "slow":
    time.sleep(20)
"""
LINES = ("packages: [numpy==2.4.6]", "outputs: [weights.npy]")


def plant(folder, what):
    spec = folder / "spec.yaml"
    text = spec.read_text()
    spec.write_text(
        "\n".join(f"command: python script.py {what}" if "command:" in line else line for line in text.splitlines())
        + "\n"
    )


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    folder = make_project("divergence", *LINES, script=SCRIPT)
    plant(folder, "none")
    fresh_lock(folder)
    yield folder
    docker.APIClient().remove_image("reprobox/divergence:latest", force=True)


def run_ids(project):
    return sorted(path.name for path in (project / ".reprobox" / "runs").glob("*"))


def run_twice(project, what):
    """Verify with traces; return the ids of the two runs and what verify said."""
    plant(project, what)
    before = run_ids(project)
    done = call_program("verify", "--trace", "--runs", "2", "--json", cwd=project, check=False)
    assert done.code in (0, 1), done.stderr
    return [name for name in run_ids(project) if name not in before], done


def test_runs_that_agree_have_the_same_traces(project):
    ids, done = run_twice(project, "none")
    assert done.code == 0, done.stdout
    diff = call_program("diff", *ids, "--json", cwd=project).json
    assert diff["same"]
    assert [(one["process"], one["events"]) for one in diff["processes"]] == [("main", 12)]
    assert diff["circumstances"] == []


def test_a_planted_divergence_is_named_exactly(project):
    ids, done = run_twice(project, "value")
    assert done.code == 1
    assert "step 7 of mark weights" in done.json["first_step"]
    said = call_program("diff", *ids, "--json", cwd=project, check=False)
    assert said.code == 1
    first = said.json["first"]
    found = first["divergence"]
    assert (first["stage"], first["process"]) == ("train", "main")
    assert found["place"] == {"kind": "mark", "source": "weights", "step": 7}
    assert (found["tensor"], found["agreed"], found["random"]) == ("weights", 6, None)
    assert found["distance"]["differing"] == 1
    assert 2.0**-50 <= found["distance"]["max_abs"] < 2.0**-17
    text = call_program("diff", *ids, cwd=project, check=False).stdout
    assert "first    train, step 7 of mark weights, weights" in text
    assert "every generator that was looked at had the same state there" in text
    assert "output   weights.npy" in text


def test_other_draws_are_told_from_another_computation(project):
    ids, _ = run_twice(project, "draws")
    found = call_program("diff", *ids, "--json", cwd=project, check=False).json["first"]["divergence"]
    assert found["place"]["step"] == 7
    assert found["cause"] == "random numbers"
    assert found["random"] == {"place": {"kind": "mark", "source": "weights", "step": 7}, "generators": ["numpy"]}


def test_a_sweep_gives_each_seed_what_an_image_of_that_seed_would(project, tmp_path):
    plant(project, "none")
    before = run_ids(project)
    done = call_program("sweep", "--seeds", "3", "--jobs", "2", "--json", cwd=project)
    swept = done.json
    assert swept["seeds"] == [1, 2, 3]
    assert swept["image_digest"] == call_program("build", "--json", cwd=project).json["image_digest"]
    record = json.loads(Path(swept["record"]).read_text())
    by_seed = {run["seed"]: run for run in record["runs"]}
    assert sorted(by_seed) == [1, 2, 3, 32]
    for name in ("mean", "random", "hash", "child"):
        assert len({run["metrics"][name] for run in by_seed.values()}) == 4, name
    assert len(run_ids(project)) == len(before) + 4

    twin = shutil.copytree(project, tmp_path / "divergence", ignore=shutil.ignore_patterns(".reprobox"))
    spec = twin / "spec.yaml"
    spec.write_text(spec.read_text().replace("seed: 32", "seed: 2"))
    run = call_program("run", "--json", cwd=twin).json
    real = json.loads((Path(run["run_dir"]) / "run.json").read_text())
    mine = json.loads((project / ".reprobox" / "runs" / by_seed[2]["run"] / "run.json").read_text())
    assert mine["metrics"] == real["metrics"]
    assert mine["outputs"] == real["outputs"]
    assert (mine["seed"], mine["environment"]) == (2, real["environment"])
    assert mine["image_digest"] == swept["image_digest"] != real["image_digest"]
    assert mine["warnings"] == [] == mine["runtime"]["warnings"]


def test_seeds_that_were_run_are_not_run_again(project):
    plant(project, "none")
    call_program("sweep", "--seeds", "2", cwd=project)
    before = run_ids(project)
    again = call_program("sweep", "--seeds", "2", "--metric", "mean", cwd=project)
    assert run_ids(project) == before
    assert again.stderr.count("run before") == 3
    more = call_program("sweep", "--seeds", "4", "--metric", "mean", "--json", cwd=project)
    assert len(run_ids(project)) <= len(before) + 2
    mean = more.json["metrics"]["mean"]
    assert (list(more.json["metrics"]), mean["n"]) == (["mean"], 4)
    assert ElementTree.parse(mean["picture"]).getroot().tag.endswith("svg")
    assert mean["claim"]["inside"] in (True, False)


@pytest.mark.long
def test_a_sweep_that_is_stopped_goes_on_where_it_was(project):
    plant(project, "slow")
    with subprocess.Popen(
        [PROGRAM, "sweep", "--seeds", "4", "--jobs", "2"],
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        # The claimed seed's run goes first; the next two are under way after it.
        for line in process.stderr:
            if line.startswith("seed 32"):
                break
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    labels = docker.APIClient().containers(all=True, filters={"label": "reprobox.run"})
    assert not [one for one in labels if "divergence" in one["Image"]]
    records = [json.loads(path.read_text()) for path in (project / ".reprobox" / "sweep").glob("*.json")]
    (record,) = [found for found in records if [run["seed"] for run in found["runs"]] == [32]]
    assert record["claimed_seed"] == 32


def test_a_metric_that_is_not_there_is_said_after_one_run(project):
    plant(project, "none")
    done = call_program("sweep", "--seeds", "20", "--metric", "accuracy", cwd=project, check=False)
    assert done.code == 2
    assert "it has: child, hash, mean, random" in done.stderr
