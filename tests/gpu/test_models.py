"""Models on a GPU: the same weights five times at `bitwise`, others with the seeds alone, and what that costs.

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
SEEDED = "determinism: seeded"
"""The control on a GPU: the same weights at the start, so that nothing but kernels can make others of them."""


@pytest.mark.gpu
def test_some_framework_here_sees_a_gpu(some_python):
    assert Path(some_python).exists()


@pytest.mark.gpu
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_model_trains_the_same_weights_five_times_on_a_gpu(framework, find_python, make_project, verify):
    options = ("--python", find_python(framework), "--gpu", "--runs", "5")
    found, fixed = verify(make_project(framework), *options)
    assert (found["verdict"], {one["device"] for one in fixed}) == ("IDENTICAL", {"cuda"})
    assert {Path(name).stem for name in found["runs"][0]["outputs"]} == MODELS
    other, free = verify(make_project(framework, SEEDED), *options)
    varying = list_varying(other)
    report(framework, fixed, free, varying)
    assert varying, "with the seeds alone every model repeats, too: this GPU shows nothing of what the switches do"


@pytest.mark.long
@pytest.mark.network
def test_the_models_repeat_without_a_gpu_too(make_project, verify):
    """The same programs in the same way, so that on the machine with the GPU nothing but the GPU is new."""
    options = ("--python", str(install_venv("3.11", TORCH)), "--runs", "2")
    found, runs = verify(make_project("torch"), *options)
    assert (found["verdict"], {one["device"] for one in runs}) == ("IDENTICAL", {"cpu"})
    assert {Path(name).stem for name in found["runs"][0]["outputs"]} == MODELS
    assert verify(make_project("torch", OFF), *options)[0]["verdict"] == "DIFFERENT"


def test_models_that_vary_are_told_by_their_outputs():
    runs = [{"outputs": {"cnn.npy": "a", "scatter.npy": one}} for one in "xxy"]
    assert list_varying({"runs": runs}) == ["scatter"]


def list_varying(found):
    """Return the models whose weights are not the same in all runs."""
    outputs = [run["outputs"] for run in found["runs"]]
    return sorted(Path(name).stem for name in outputs[0] if len({one[name] for one in outputs}) > 1)


def report(framework, fixed, free, varying):
    """Put down how many times as long each model takes with every switch as with the seeds alone; which vary then."""
    ratios = {name: round(median(fixed, name) / median(free, name), 3) for name in sorted(MODELS) if median(free, name)}
    line = json.dumps({"framework": framework, "bitwise over seeded": ratios, "vary when seeded": varying})
    print(line)
    if path := os.environ.get("REPROBOX_GPU_REPORT"):
        with Path(path).open("a") as stream:
            stream.write(line + "\n")


def median(runs, name):
    return statistics.median(run["seconds"][name] for run in runs)
