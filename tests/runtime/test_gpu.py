"""What a process puts down of GPUs as it ends; the libraries are stand-ins under the real ones' names."""

import shutil
import subprocess

import pytest

LIBRARIES = {
    "libcudnn.so.9": "size_t cudnnGetVersion(void) { return 92000; }",
    "libcudart.so.13": "int cudaRuntimeGetVersion(int *version) { *version = 13000; return 0; }",
    "libcuda.so.1": "int cuDriverGetVersion(int *version) { return 100; }",
    "libcublas.so.13": "int other;",
    "libnccl.so.2": "int other;",
}


@pytest.fixture
def libraries(tmp_path):
    """Return the folder of the stand-ins, compiled."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("the stand-ins are compiled, and there is no compiler here")
    for name, code in LIBRARIES.items():
        source = tmp_path / f"{name}.c"
        source.write_text(f"#include <stddef.h>\n{code}\n")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / name, source], check=True, timeout=60)
    return tmp_path


def test_the_libraries_that_are_loaded_say_their_own_versions(box, libraries):
    box.env["REPROBOX_GPU"] = "1"
    loads = "\n".join(f"ctypes.CDLL({str(libraries / name)!r})" for name in LIBRARIES)
    box.script(f"import ctypes\n{loads}\n")
    record = box.record()
    assert record["gpu"] == {
        "libraries": sorted(LIBRARIES),
        "used": True,
        "versions": {"libcudart": 13000, "libcudnn": 92000},
    }
    assert record["warnings"] == []


def test_a_process_without_gpu_says_so_and_none_is_asked_in_a_run_on_the_cpu(box):
    box.env["REPROBOX_GPU"] = "1"
    box.script("pass")
    assert box.records()[-1]["gpu"] == {"libraries": [], "used": False, "versions": {}}
    del box.env["REPROBOX_GPU"]
    box.script("pass")
    assert "gpu" not in box.records()[-1]


def test_a_forked_child_says_it_of_itself(box):
    box.env["REPROBOX_GPU"] = "1"
    box.script("import os\nif os.fork() == 0:\n    raise SystemExit\nos.wait()\n")
    assert [record["gpu"]["used"] for record in box.records()] == [False, False]


def test_a_pytorch_for_cuda_keeps_nccl_from_adding_up_in_the_switches(torch_box):
    torch_box.script("""
import torch
from reprobox_runtime.backends import torch as backend
torch.version.cuda = "13.0"
found = backend.list_switches(torch, {"deterministic_kernels": True, "cublas_workspace": ":4096:8"})
names = [switch.name for switch in found]
assert "environment NCCL_NVLS_ENABLE" in names and "environment CUBLAS_WORKSPACE_CONFIG" in names, names
""")
    assert "environment NCCL_NVLS_ENABLE" not in torch_box.records()[-1]["switches"]


def test_pytorch_says_its_cuda_and_starts_nothing(torch_box):
    torch_box.env["REPROBOX_GPU"] = "1"
    torch_box.script("import torch\ntorch.set_float32_matmul_precision('high')\n")
    assert torch_box.records()[-1]["gpu"]["torch"] == {"cuda": None, "float32_matmul_precision": "high"}
