"""Interpreters that have a framework, for runs without a container."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SEES = {
    "torch": "import torch; print(torch.cuda.is_available())",
    "tensorflow": "import tensorflow as tf; print(bool(tf.config.list_physical_devices('GPU')))",
    "jax": "import jax; print(jax.default_backend() == 'gpu')",
}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def find_python():
    """A function: framework -> an interpreter by which it sees a GPU; skips where there is none.

    REPROBOX_GPU_PYTHON names one; else the one that runs this and those in PATH are tried.
    """

    def find(framework):
        named = os.environ.get("REPROBOX_GPU_PYTHON")
        for python in [named] if named else dict.fromkeys([sys.executable, shutil.which("python3")]):
            done = subprocess.run(
                [python, "-c", SEES[framework]], capture_output=True, text=True, check=False, timeout=300
            )
            if done.stdout.strip().endswith("True"):
                return python
        pytest.skip(f"no Python here has a {framework} that sees a GPU: REPROBOX_GPU_PYTHON may name one")

    return find


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
