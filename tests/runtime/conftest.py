"""The runtime installed as in an image, in a venv of every Python that this machine has."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .pythons import REPOSITORY, find_pythons
from .venvs import TENSORFLOW, TORCH, install_venv

RUNTIME = REPOSITORY / "reprobox" / "_runtime"

SEED = 32
SWITCHES = {
    "hash_seed": SEED,
    "threads": 1,
    "deterministic_kernels": True,
    "cudnn_benchmark": False,
    "tf32": False,
    "cublas_workspace": ":4096:8",
    "fill_uninitialized_memory": False,
}


@dataclass
class Box:
    """A stand-in for the image: the runtime's folder, a venv whose interpreter is hooked, a folder for the records."""

    python: Path
    root: Path
    work: Path
    contract: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def record_folder(self) -> Path:
        return self.work / "record"

    @property
    def entrypoint(self) -> list[str]:
        return [str(self.python), "-I", str(self.root / "entrypoint.py")]

    def environment(self) -> dict[str, str]:
        path = self.work / "contract.json"
        path.write_text(json.dumps(self.contract))
        return {
            "PATH": f"{self.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.work),
            "PYTHONHASHSEED": str(SEED),
            "REPROBOX_CONTRACT": str(path),
            "REPROBOX_RECORD_DIR": str(self.record_folder),
            **self.env,
        }

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program as the container would without its entrypoint."""
        done = subprocess.run(
            argv, cwd=self.work, env=self.environment(), capture_output=True, text=True, check=False, timeout=300
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            argv, cwd=self.work, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def python_code(self, code: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.python), *options, "-c", code, check=check)

    def script(self, code: str, name: str = "script.py") -> list[str]:
        """Run ``code`` as a file, warnings shown; return its output's lines."""
        (self.work / name).write_text(code)
        done = self.run(str(self.python), name)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout.splitlines()

    def enter(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the entrypoint as ENTRYPOINT does."""
        return self.run(*self.entrypoint, *arguments, check=False)

    def records(self, **wanted: object) -> list[dict[str, Any]]:
        """Return the fragments that have these values, in the order the processes started."""
        found = [json.loads(path.read_text()) for path in self.record_folder.glob("*.json")]
        chosen = [item for item in found if all(item.get(name) == value for name, value in wanted.items())]
        return sorted(chosen, key=lambda item: item["started"])

    def record(self, **wanted: object) -> dict[str, Any]:
        (only,) = self.records(**wanted)
        return only


def make_contract(level: str = "bitwise", **changes: Any) -> dict[str, Any]:
    """Return a contract as the host writes it."""
    switches = {"off": {}, "seeded": {"hash_seed": SEED}}.get(level, SWITCHES)
    contract = {
        "schema_version": 1,
        "name": "digits",
        "seed": SEED,
        "level": level,
        "switches": dict(switches),
        "env": {"PYTHONHASHSEED": str(SEED)} if switches else {},
        "stages": [],
    }
    return {**contract, **changes}


@pytest.fixture(scope="package")
def runtime_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime where an image would have /opt/reprobox."""
    root = tmp_path_factory.mktemp("opt") / "reprobox"
    install_runtime(root)
    return root


def install_runtime(root: Path) -> None:
    shutil.copytree(RUNTIME, root / "reprobox_runtime", ignore=shutil.ignore_patterns("__pycache__", "*.pth"))
    (root / "reprobox_runtime" / "entrypoint.py").rename(root / "entrypoint.py")
    (root / "contract.json").write_text(json.dumps(make_contract()))


def hook_interpreter(python: Path, root: Path) -> None:
    """Put the ``.pth`` into a venv, pointing at ``root``."""
    (site,) = python.parent.parent.glob("lib/python3.*/site-packages")
    (site / "reprobox.pth").write_text((RUNTIME / "reprobox.pth").read_text().replace("/opt/reprobox", str(root)))


@pytest.fixture(scope="package")
def make_venv(tmp_path_factory, runtime_root):
    """A function: version -> the hooked interpreter of a venv, made once."""

    @cache
    def make(version: str) -> Path:
        folder = tmp_path_factory.mktemp("venv") / version
        subprocess.run([find_pythons()[version], "-m", "venv", "--without-pip", folder], check=True, timeout=120)
        hook_interpreter(folder / "bin" / "python", runtime_root)
        return folder / "bin" / "python"

    return make


def _list_boxes(*, edges: bool):
    """Every Python, or the oldest, this project's own and the newest; all but its own take long."""
    pythons = find_pythons()
    oldest, own, newest = next(iter(pythons)), f"3.{sys.version_info[1]}", list(pythons)[-1]
    return [
        pytest.param(one, marks=[] if one[0] == own else pytest.mark.long, id=one[0])
        for one in pythons.items()
        if not edges or one[0] in (oldest, own, newest)
    ]


@pytest.fixture(params=_list_boxes(edges=False))
def box(request, make_venv, runtime_root, tmp_path) -> Box:
    """The default contract under each Python of this machine."""
    return _make_box(make_venv(request.param[0]), runtime_root, tmp_path)


@pytest.fixture(params=_list_boxes(edges=True))
def edge_box(request, make_venv, runtime_root, tmp_path) -> Box:
    """The default contract under the oldest Python, this project's own and the newest."""
    return _make_box(make_venv(request.param[0]), runtime_root, tmp_path)


@pytest.fixture
def newest_box(make_venv, runtime_root, tmp_path) -> Box:
    """The default contract under the newest Python: for what the version has no part in."""
    return _make_box(make_venv(list(find_pythons())[-1]), runtime_root, tmp_path)


def _make_box(python: Path, root: Path, work: Path) -> Box:
    (work / "record").mkdir()
    return Box(python, root, work, make_contract())


@pytest.fixture
def framework_box(runtime_root, tmp_path):
    """A function: Python version, requirements -> a box that has them."""

    def make(version: str, *requirements: str) -> Box:
        python = install_venv(version, requirements)
        hook_interpreter(python, runtime_root)
        return _make_box(python, runtime_root, tmp_path)

    return make


FOUND = [version for version in ("3.11", "3.12", "3.13", "3.10", "3.8") if version in find_pythons()]
"""The Pythons that the frameworks below have wheels for, best first; this project itself needs one of the first."""


@pytest.fixture(params=sorted({FOUND[0], FOUND[-1], "3.13"} & set(FOUND)))
def numpy_box(request, framework_box):
    return framework_box(request.param, "numpy")


@pytest.fixture
def torch_box(framework_box):
    return framework_box(FOUND[0], *TORCH)


@pytest.fixture
def tensorflow_box(framework_box):
    box = framework_box(FOUND[0], *TENSORFLOW)
    box.env["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return box
