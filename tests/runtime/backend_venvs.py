"""Virtual environments with the backends' real packages, from the package index, kept from one test run to the next."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from reprobox.determinism import decide_switches
from reprobox.plan import decide_variables
from reprobox.spec.model import Spec

from . import venvs
from .conftest import SEED, Box, hook_interpreter, make_contract

_lock = Lock()


@dataclass(frozen=True)
class Group:
    """Packages that share a virtual environment; ``python`` is the one that all of them have wheels for."""

    name: str
    python: str
    requirements: tuple[str, ...]


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
        "openvino==2026.4.1",
    ),
)
TORCH = Group("torch", "3.11", venvs.TORCH)
TENSORFLOW = Group("tensorflow", "3.11", venvs.TENSORFLOW)
TENSORFLOW_1 = Group("tensorflow1", "3.6", venvs.TENSORFLOW_1)
KERAS_2 = Group("keras2", "3.6", venvs.KERAS_2)
OLD = Group(
    "old",
    "3.8",
    ("numpy==1.18.5", "scipy==1.5.4", "chainer==7.8.1", "theano==1.0.5", "mxnet==1.9.1", "setuptools==59.8.0"),
)
SKLEARN_0 = Group("sklearn0", "3.6", ("numpy==1.18.5", "scipy==1.5.4", "scikit-learn==0.21.3", "joblib==1.1.1"))
LIGHTGBM_2 = Group("lightgbm2", "3.8", ("numpy==1.18.5", "scipy==1.5.4", "scikit-learn==0.23.2", "lightgbm==2.3.1"))


def _choose_chainer(version: str) -> Group:
    packages = ("numpy==1.18.5", f"chainer=={version}", "protobuf==3.19.6", "setuptools==59.8.0")
    return Group(f"chainer{version}", "3.8", packages)


CHAINER_1_17 = _choose_chainer("1.17.0")
CHAINERS = {
    int(version[0]): _choose_chainer(version) for version in ("1.24.0", "2.1.0", "3.5.0", "4.5.0", "5.4.0", "6.7.0")
}
"""Those before the last, by their first number."""
AESARA = Group("aesara", "3.11", ("aesara==2.9.4", "numpy==1.26.4", "scipy==1.11.4", "setuptools==59.8.0"))
CUPY = Group("cupy", "3.12", ("cupy-cuda12x==14.2.0",))
"""It can be imported where there is no GPU, and no more."""
PADDLE = Group("paddle", "3.11", ("paddlepaddle==3.3.1", "setuptools==80.9.0"))


def _hook(group: Group, python: Path, root: Path) -> None:
    """Hook the interpreter once: another case may be starting it while the file is written anew."""
    with _lock:
        _hook_once(group, python, root)


@cache
def _hook_once(group: Group, python: Path, root: Path) -> None:
    hook_interpreter(python, root)


def make_group_box(group: Group, root: Path, work: Path, seed: int = SEED) -> Box:
    """Return a box of the group's Python, with the environment and the contract of an image at the default level."""
    python = venvs.install_venv(group.python, group.requirements)
    _hook(group, python, root)
    (work / "record").mkdir(parents=True)
    spec = Spec(reprobox=1, name="matrix", seed=seed, command=("true",))
    env = decide_variables(spec, venvs.read_versions(group.python, group.requirements))
    switches = decide_switches(spec)
    return Box(python, root, work, make_contract(seed=seed, switches=switches, env=env), {**env, "LC_ALL": "C.UTF-8"})
