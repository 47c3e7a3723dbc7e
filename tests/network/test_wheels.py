"""The frameworks of the examples, resolved under this machine's own configuration."""

import os
import time
from pathlib import Path

import pytest

from reprobox.blobs import BlobStore
from reprobox.fetch import fetch_wheels
from reprobox.gpus.need import find_need
from reprobox.lock import PythonTarget
from reprobox.resolve.cuda import check_cuda, choose_cuda, list_cuda_constraints
from reprobox.resolve.python_config import read_python_config
from reprobox.resolve.torch_builds import choose_torch_backend, list_framework_requirements
from reprobox.resolve.wheels import WheelRequest, resolve_wheels

pytestmark = pytest.mark.network

TARGET = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
TORCH_CPU = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, wherever it comes from."""


def lock(*requirements, preferences=()):
    config = read_python_config(os.environ, Path.home())
    request = WheelRequest(requirements, None, (), TARGET, "cpu", config, preferences)
    warnings = []
    wheels = resolve_wheels(request, warnings.append)
    return {wheel.name: wheel for wheel in wheels}, wheels, warnings


def test_numpy_and_scikit_learn_lock_and_lock_the_same_again():
    found, wheels, _ = lock("numpy", "scikit-learn")
    assert {"numpy", "scikit-learn", "scipy", "joblib", "threadpoolctl"} <= found.keys()
    assert all(wheel.size > 1000 and len(wheel.sha256) == 64 and wheel.index == "" for wheel in wheels)
    started = time.monotonic()
    assert lock("numpy", "scikit-learn", preferences=wheels)[1] == wheels
    assert time.monotonic() - started < 20


def test_torch_is_the_cpu_build_wherever_it_comes_from():
    found, wheels, _ = lock("torch==2.13.0")
    assert found["torch"].version == "2.13.0+cpu"
    assert found["torch"].sha256 == TORCH_CPU
    assert not [name for name in found if name.startswith(("nvidia", "cuda", "triton"))]
    assert not [wheel for wheel in wheels if "/" in wheel.filename]


def test_tensorflow_locks_with_its_whole_closure():
    found, _, _ = lock("tensorflow==2.21.0")
    assert found["tensorflow"].filename.startswith("tensorflow-2.21.0-cp311-cp311-manylinux")
    assert {"keras", "numpy", "h5py", "protobuf"} <= found.keys()


CUDA = {
    ("torch", "2.13.0"): ("13.0", {"nvidia-cuda-runtime": "13.0.", "nvidia-nvjitlink": "13.0.", "torch": "2.13.0"}),
    ("tensorflow", "2.21.0"): ("12.5", {"nvidia-cuda-runtime-cu12": "12.5.", "nvidia-cudnn-cu12": "9.3."}),
    ("jax", "0.10.1"): ("12", {"nvidia-cuda-runtime-cu12": "12.", "jax-cuda12-plugin": "0.10.1"}),
}


@pytest.mark.parametrize("framework", CUDA, ids=lambda framework: framework[0])
def test_auto_locks_one_cuda_that_goes_with_the_framework(framework):
    wanted, expected = CUDA[framework]
    frameworks = dict([framework])
    cuda = choose_cuda(frameworks, "auto", {})
    assert cuda == wanted
    request = WheelRequest(
        list_framework_requirements(frameworks, cuda),
        *(None, (), TARGET, choose_torch_backend(frameworks, cuda), read_python_config(os.environ, Path.home())),
        constraints=list_cuda_constraints(frameworks, cuda, None, {}),
    )
    warnings = []
    wheels = resolve_wheels(request, warnings.append)
    found = {wheel.name: wheel.version for wheel in wheels}
    assert {name: found[name] for name in expected if not found[name].startswith(expected[name])} == {}
    check_cuda(wheels, cuda)
    assert warnings == []
    assert find_need(found, {}).cuda.startswith(wanted)


def test_small_wheels_are_fetched_and_are_what_was_locked(tmp_path):
    _, wheels, _ = lock("threadpoolctl", "joblib")
    store = BlobStore(tmp_path)
    found = fetch_wheels(wheels, store, read_python_config(os.environ, Path.home()), TARGET)
    assert {path.stat().st_size for path in found.values()} == {wheel.size for wheel in wheels}
    assert all(store.verify(sha256) for sha256 in found)
