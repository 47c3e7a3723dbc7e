"""What a library says of itself, on this machine: the pins reach it, by the names that its version knows."""

import re

import pytest
from runtime.venvs import TENSORFLOW, TORCH

from reprobox.pins import TARGETS

from .conftest import describe_processor

pytestmark = pytest.mark.network

FEATURES, INTEL = describe_processor()
ALLOWED = {"baseline": {"SSSE3", "SSE41", "POPCNT", "SSE42"}}
ALLOWED["avx2"] = ALLOWED["avx2-intel"] = ALLOWED["baseline"] | {"AVX", "F16C", "FMA3", "AVX2", "X86_V3"}
ASK_NUMPY = """
import warnings
warnings.simplefilter("error")
# Up to 1.24, where the processor has less than the pins name.
warnings.filterwarnings("ignore", "(?s).*not supported by your machine")
import numpy
core = getattr(numpy, "_core", None) or numpy.core
module = core._multiarray_umath
print(*[name for name in module.__cpu_dispatch__ if module.__cpu_features__[name]])
"""
ASK_OPENBLAS = """
import ctypes, glob, os, numpy
(path,) = glob.glob(os.path.join(os.path.dirname(numpy.__file__), "..", "numpy.libs", "lib*openblas*"))
library = ctypes.CDLL(path)
for name in ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename"):
    if hasattr(library, name):
        ask = getattr(library, name)
ask.restype = ctypes.c_char_p
print(ask().decode())
"""
ASK_TORCH = """
import torch
print("ATen", torch.backends.cpu.get_cpu_capability())
x = torch.ones(128, 128)
x @ x
torch.nn.functional.conv2d(torch.ones(32, 8, 32, 32), torch.ones(8, 8, 3, 3))
"""
COMPILE = "import tensorflow as tf; print(float(tf.function(lambda x: tf.reduce_sum(x), jit_compile=True)(tf.ones(9))))"


def write_level(target):
    return f"{{level: portable, cpu: {target}}}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("version", "requirement"),
    [("3.8", "numpy"), ("3.11", "numpy==1.26.4"), ("3.11", "numpy==2.3.5"), ("3.11", "numpy"), ("3.13", "numpy")],
)
class TestNumpy:
    def test_no_feature_above_the_target_is_used_and_no_name_is_unknown(
        self, have_packages, version, requirement, target
    ):
        packages = have_packages(version, requirement)
        assert set(packages.compute(ASK_NUMPY, write_level(target)).split()) <= ALLOWED[target]
        if "avx512f" in FEATURES:
            assert not set(packages.compute(ASK_NUMPY, "bitwise").split()) <= ALLOWED[target]

    def test_openblas_takes_the_targets_kernels(self, have_packages, version, requirement, target):
        packages = have_packages(version, requirement)
        expected = "Nehalem" if target == "baseline" else "Haswell"
        assert packages.compute(ASK_OPENBLAS, write_level(target)).strip() == expected


@pytest.fixture(scope="module")
def torch(have_packages):
    return have_packages("3.11", *TORCH)


@pytest.mark.parametrize(
    ("target", "aten", "mkl", "onednn"),
    [
        ("avx2", "AVX2", "CNR:COMPATIBLE", "isa:Intel AVX2"),
        ("avx2-intel", "AVX2", "CNR:AVX2", "isa:Intel AVX2"),
        ("baseline", "DEFAULT", "CNR:COMPATIBLE", "isa:Intel SSE4.1"),
    ],
)
def test_torchs_three_libraries_take_the_target(torch, target, aten, mkl, onednn):
    if not ("avx2" in FEATURES and INTEL):
        pytest.skip("MKL says only on Intel's processors with AVX2 what it was told")
    said = torch.compute(ASK_TORCH, write_level(target), MKL_VERBOSE="1", ONEDNN_VERBOSE="1")
    assert f"ATen {aten}\n" in said
    assert set(re.findall(r"CNR:\w+", said)) == {mkl}
    assert f"{onednn}\n" in said


@pytest.fixture(scope="module")
def tensorflow(have_packages):
    return have_packages("3.11", *TENSORFLOW)


class TestXla:
    @pytest.mark.parametrize("target", ["avx2", "baseline"])
    def test_the_flags_are_known_to_the_version_they_are_for(self, tensorflow, target):
        assert tensorflow.make_environment(write_level(target))["XLA_FLAGS"].count("--xla") == 2
        assert tensorflow.compute(COMPILE, write_level(target)).strip() == "9.0"

    def test_an_unknown_flag_would_end_the_process(self, tensorflow):
        done = tensorflow.run(COMPILE, "bitwise", XLA_FLAGS="--xla_cpu_no_such_flag=1")
        assert done.returncode != 0
        assert "no_such_flag" in done.stderr
