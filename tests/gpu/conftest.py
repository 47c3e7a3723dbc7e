"""Interpreters that have a framework, for runs without a container."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

SEES = {
    "torch": "import torch; print(torch.cuda.is_available())",
    "tensorflow": "import tensorflow as tf; print(bool(tf.config.list_physical_devices('GPU')))",
    "jax": "import jax; print(jax.default_backend() == 'gpu')",
}
REPOSITORY = Path(__file__).parents[2]


NONE = "no Python here has a {} that sees a GPU: REPROBOX_GPU_PYTHON may name one"


@cache
def search_python(framework):
    """Return an interpreter by which a framework sees a GPU; None where there is none.

    REPROBOX_GPU_PYTHON names one; else the one that runs this and those in PATH are tried.
    """
    named = os.environ.get("REPROBOX_GPU_PYTHON")
    for python in [named] if named else dict.fromkeys([sys.executable, shutil.which("python3")]):
        done = subprocess.run([python, "-c", SEES[framework]], capture_output=True, text=True, check=False, timeout=300)
        if done.stdout.strip().endswith("True"):
            return python
    return None


@pytest.fixture(scope="session")
def find_python():
    """A function: framework -> an interpreter by which it sees a GPU; skips where there is none."""

    def find(framework):
        return search_python(framework) or pytest.skip(NONE.format(framework))

    return find


@pytest.fixture(scope="session")
def some_python():
    """An interpreter by which some framework sees a GPU.

    `make test-gpu` says by REPROBOX_GPU_SUITE that it is what was asked for: without one it fails instead of skipping.
    """
    found = next(filter(None, map(search_python, SEES)), None)
    none = NONE.format("torch, tensorflow or jax")
    if found is None and os.environ.get("REPROBOX_GPU_SUITE"):
        pytest.fail(none)
    return found or pytest.skip(none)


@pytest.fixture
def make_project(tmp_path):
    """A function: framework, lines of a spec -> a project with the models, and that framework's lock."""

    def make(framework, *lines):
        folder = Path(tempfile.mkdtemp(dir=tmp_path)) / framework
        shutil.copytree(Path(__file__).parent / "projects" / framework, folder)
        with (folder / "spec.yaml").open("a") as spec:
            spec.writelines(f"{line}\n" for line in lines)
        return folder

    return make


@pytest.fixture
def verify():
    """A function: project, options -> what `reprobox verify --json` says, and the runs' own seconds a model."""

    def verify(project, *options):
        argv = [sys.executable, "-m", "reprobox", "verify", "--engine", "local", "--json", *options, str(project)]
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "REPROBOX_CACHE": str(project.parent / "cache")}
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=1800)
        assert done.returncode in (0, 1), done.stderr
        found = json.loads(done.stdout)
        runs = [project / ".reprobox" / "runs" / row["run"] for row in found["runs"]]
        seconds = [json.loads((run / "output" / "seconds.json").read_text()) for run in runs]
        return found, seconds

    return verify
