"""Virtual environments with the backends' real packages, from the package index, kept from one test run to the next."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

import pytest

from reprobox.determinism import decide_switches
from reprobox.plan import decide_variables
from reprobox.resolve.python_config import read_python_config
from reprobox.spec.model import Spec
from reprobox.uv import run_uv

from .conftest import REPOSITORY, SEED, Box, find_pythons, hook_interpreter, make_contract

_NO_NETWORK = re.compile(r"dns error|failed to fetch|error sending request|connect(ion)? error|network", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """Packages that share a virtual environment; ``python`` is the one that all of them have wheels for."""

    name: str
    python: str
    requirements: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    """Requirements that replace what the packages ask for themselves."""
    lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    @property
    def folder(self) -> Path:
        kept = Path(os.environ.get("REPROBOX_TEST_CACHE") or REPOSITORY / ".cache") / "runtime-venvs"
        digest = hashlib.sha256("\n".join(self.requirements + self.overrides).encode()).hexdigest()
        return kept / f"{self.python}-{self.name}-{digest[:8]}"


SMALL = Group(
    "small",
    "3.12",
    (
        *(
            "numpy==2.4.6",
            "scipy==1.17.1",
            "scikit-learn==1.9.1",
            "numba==0.68.0",
            "pytensor==3.3.7",
            "gymnasium==1.4.0",
        ),
        *("xgboost-cpu==3.4.1", "lightgbm==4.7.0", "catboost==1.2.10", "jax==0.12.0.1", "keras==3.15.1"),
    ),
)
TORCH = Group(
    "torch",
    "3.11",
    (
        *("torch==2.13.0", "numpy==2.4.6", "keras==3.15.1"),
        *("lightning==2.6.6", "transformers==5.18.0", "accelerate==1.15.0"),
    ),
)
TENSORFLOW = Group("tensorflow", "3.11", ("tensorflow-cpu==2.21.0",))
OLD = Group(
    "old",
    "3.8",
    ("numpy==1.18.5", "scipy==1.5.4", "chainer==7.8.1", "theano==1.0.5", "mxnet==1.9.1", "setuptools==59.8.0"),
)
SKLEARN_0 = Group("sklearn0", "3.6", ("numpy==1.18.5", "scipy==1.5.4", "scikit-learn==0.21.3", "joblib==1.1.1"))
LIGHTGBM_2 = Group("lightgbm2", "3.8", ("numpy==1.18.5", "scipy==1.5.4", "scikit-learn==0.23.2", "lightgbm==2.3.1"))
CHAINER_1 = Group("chainer1", "3.8", ("numpy==1.18.5", "chainer==1.24.0", "setuptools==59.8.0"))
AESARA = Group("aesara", "3.11", ("aesara==2.9.4", "numpy==1.26.4", "scipy==1.11.4", "setuptools==59.8.0"))
CUPY = Group("cupy", "3.12", ("cupy-cuda12x==14.2.0",))
"""It can be imported where there is no GPU, and no more."""
PADDLE = Group("paddle", "3.11", ("paddlepaddle==3.3.1", "setuptools==80.9.0"))


def make_group_venv(group: Group) -> Path:
    """Return the interpreter of the group's environment; the test is skipped where it cannot be made."""
    with group.lock:
        if not (group.folder / "installed.json").exists():
            _install(group)
    return group.folder / "bin" / "python"


def _install(group: Group) -> None:
    pythons = find_pythons()
    if group.python not in pythons:
        pytest.skip(f"this machine has no Python {group.python}")
    shutil.rmtree(group.folder, ignore_errors=True)
    subprocess.run([pythons[group.python], "-m", "venv", "--without-pip", group.folder], check=True, timeout=120)
    config = read_python_config(os.environ, Path.home())
    python = str(group.folder / "bin" / "python")
    (group.folder / "overrides.txt").write_text("".join(f"{line}\n" for line in group.overrides))
    overrides = ["--override", str(group.folder / "overrides.txt")] if group.overrides else []
    done = run_uv(["pip", "install", "--quiet", "--python", python, *overrides, *group.requirements], config)
    if done.code != 0 and _NO_NETWORK.search(done.stderr):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.code == 0, done.stderr
    listed = run_uv(["pip", "list", "--quiet", "--format", "json", "--python", python], config)
    versions = {one["name"]: one["version"] for one in json.loads(listed.stdout)}
    (group.folder / "installed.json").write_text(json.dumps(versions))


def _hook(group: Group, root: Path) -> None:
    """Hook the interpreter once: another case may be starting it while the file is written anew."""
    with group.lock:
        _hook_once(group, root)


@cache
def _hook_once(group: Group, root: Path) -> None:
    hook_interpreter(group.folder / "bin" / "python", root)


@cache
def read_versions(group: Group) -> dict[str, str]:
    """Return what is installed there."""
    return dict(json.loads((group.folder / "installed.json").read_text()))


def make_group_box(group: Group, root: Path, work: Path, seed: int = SEED) -> Box:
    """Return a box of the group's Python, with the environment and the contract of an image at the default level."""
    python = make_group_venv(group)
    _hook(group, root)
    (work / "record").mkdir(parents=True)
    spec = Spec(reprobox=1, name="matrix", seed=seed, command=("true",))
    env = decide_variables(spec, read_versions(group))
    switches = decide_switches(spec)
    return Box(python, root, work, make_contract(seed=seed, switches=switches, env=env), {**env, "LC_ALL": "C.UTF-8"})
