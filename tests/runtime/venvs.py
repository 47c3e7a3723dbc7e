"""Virtual environments with real packages, from the package index, kept from one test run to the next."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NoReturn

import pytest

from reprobox.resolve.python_config import read_python_config
from reprobox.uv import run_uv

from .pythons import REPOSITORY, find_pythons

_NO_NETWORK = re.compile(r"dns error|failed to fetch|error sending request|connect(ion)? error|network", re.IGNORECASE)
_lock = Lock()

TORCH = (
    *("torch==2.13.0", "numpy==2.4.6", "keras==3.15.1"),
    *("lightning==2.6.6", "transformers==5.18.0", "accelerate==1.15.0"),
)
TENSORFLOW = ("tensorflow-cpu==2.21.0",)
TENSORFLOW_1 = ("tensorflow==1.15.5", "protobuf==3.19.6")
KERAS_2 = (
    *("tensorflow==1.1.0", "keras==2.0.3", "numpy==1.16.6"),
    *("scipy==1.5.4", "h5py==2.10.0", "protobuf==3.19.6"),
)
"""What several groups of tests share."""


def install_venv(version: str, requirements: Sequence[str]) -> Path:
    """Return the interpreter of a venv of this Python with ``requirements``, made once.

    Where this machine has no such Python or no network the test is skipped, and fails on the CI.
    """
    folder = locate_venv(version, requirements)
    with _lock:
        if not (folder / "installed.json").exists():
            _install(folder, version, requirements)
    return folder / "bin" / "python"


def locate_venv(version: str, requirements: Sequence[str]) -> Path:
    """Return the folder of the venv, whether it is made yet or not."""
    kept = Path(os.environ.get("REPROBOX_TEST_CACHE") or REPOSITORY / ".cache") / "runtime-venvs"
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    return kept / f"{version}-{requirements[0].replace('=', '')}-{digest[:8]}"


@cache
def read_versions(version: str, requirements: Sequence[str]) -> dict[str, str]:
    """Return what is installed in the venv: name -> version."""
    return dict(json.loads((locate_venv(version, requirements) / "installed.json").read_text()))


def _install(folder: Path, version: str, requirements: Sequence[str]) -> None:
    pythons = find_pythons()
    if version not in pythons:
        _give_up(f"{requirements[0]} has wheels for Python {version}, which is not here")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([pythons[version], "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    config = read_python_config(os.environ, Path.home())
    python = str(folder / "bin" / "python")
    done = run_uv(["pip", "install", "--quiet", "--python", python, *requirements], config)
    if done.code != 0 and _NO_NETWORK.search(done.stderr):
        _give_up(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.code == 0, done.stderr
    listed = run_uv(["pip", "list", "--quiet", "--format", "json", "--python", python], config)
    versions = {one["name"]: one["version"] for one in json.loads(listed.stdout)}
    (folder / "installed.json").write_text(json.dumps(versions))


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
