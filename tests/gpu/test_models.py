"""Models on a GPU: the same weights five times at `bitwise`, others at `off`, and what that costs.

`make test-gpu` on a machine with a GPU and any of the frameworks; no container engine is needed. What it measures goes
to the file that REPROBOX_GPU_REPORT names, or to the screen with `-s`.
"""

import json
import os
import statistics
from pathlib import Path

import pytest
from runtime.venvs import TORCH, install_venv

FRAMEWORKS = ("torch", "tensorflow", "jax")
MODELS = {"cnn", "lstm", "embedding", "scatter", "attention", "conv-transpose"}
OFF = "determinism: off"


@pytest.mark.gpu
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_model_trains_the_same_weights_five_times_on_a_gpu(framework, find_python, make_project, verify):
    options = ("--python", find_python(framework), "--gpu", "--runs", "5")
    found, fixed = verify(make_project(framework), *options)
    assert (found["verdict"], {one["device"] for one in fixed}) == ("IDENTICAL", {"cuda"})
    assert {Path(name).stem for name in found["runs"][0]["outputs"]} == MODELS
    other, free = verify(make_project(framework, OFF), *options)
    assert other["verdict"] == "DIFFERENT"
    report(framework, fixed, free)


@pytest.mark.long
@pytest.mark.network
def test_the_models_repeat_without_a_gpu_too(make_project, verify):
    """The same programs in the same way, so that on the machine with the GPU nothing but the GPU is new."""
    options = ("--python", str(install_venv("3.11", TORCH)), "--runs", "2")
    found, runs = verify(make_project("torch"), *options)
    assert (found["verdict"], {one["device"] for one in runs}) == ("IDENTICAL", {"cpu"})
    assert {Path(name).stem for name in found["runs"][0]["outputs"]} == MODELS
    assert verify(make_project("torch", OFF), *options)[0]["verdict"] == "DIFFERENT"


def report(framework, fixed, free):
    """Put down how many times as long each model takes with every switch as without any."""
    ratios = {name: round(median(fixed, name) / median(free, name), 3) for name in sorted(MODELS) if median(free, name)}
    line = json.dumps({"framework": framework, "bitwise over off": ratios})
    print(line)
    if path := os.environ.get("REPROBOX_GPU_REPORT"):
        with Path(path).open("a") as stream:
            stream.write(line + "\n")


def median(runs, name):
    return statistics.median(run["seconds"][name] for run in runs)
