"""Programs give the same bits on processors of different makes and ages when pinned, and others when not."""

import pytest
from runtime.venvs import TENSORFLOW, TORCH

from .conftest import NATIVE, Bench, describe_processor

pytestmark = [pytest.mark.network, pytest.mark.long]

SQRT = {"sqrt", "network by Adam"}
"""What rests on an instruction whose result each maker chooses: docs/portable.md."""


@pytest.fixture(scope="module")
def arrays(have_packages, qemu):
    return Bench(have_packages("3.11", "numpy"), qemu, "arrays.py")


@pytest.fixture(scope="module")
def network(have_packages, qemu):
    return Bench(have_packages("3.11", *TORCH), qemu, "network.py")


@pytest.fixture(scope="module")
def tensors(have_packages, qemu):
    return Bench(have_packages("3.11", *TENSORFLOW), qemu, "tensors.py")


@pytest.fixture(scope="module")
def functions(have_packages, qemu):
    return Bench(have_packages("3.11", "jax"), qemu, "functions.py")


@pytest.fixture(scope="module")
def products(have_packages, qemu):
    return Bench(have_packages("3.11", "jax"), qemu, "products.py")


def find_differences(bench, determinism, models):
    """Return what differs between processors, this machine's own among them where it can run the target."""
    first, *others = (bench.compute(determinism, model) for model in models)
    return {name for other in others for name in first if other[name] != first[name]}


def native_or(model, target):
    """Return this machine's own processor where it can stand for the model, which is quicker; or else the model."""
    features, intel = describe_processor()
    able = {"avx2", "fma"} <= features and (intel or target == "avx2")
    return NATIVE if able else model


def two_makers():
    """Return a processor of each maker's with AVX2: this machine's own and, of the other's, the model."""
    features, intel = describe_processor()
    if not {"avx2", "fma"} <= features:
        return ["Haswell", "EPYC-Rome"]
    return [NATIVE, "EPYC-Rome" if intel else "Haswell"]


class TestNumpy:
    def test_without_pins_an_older_processor_computes_otherwise(self, arrays):
        differing = find_differences(arrays, "bitwise", [native_or("Haswell", "avx2"), "Nehalem"])
        assert {"product32", "math", "normal", "trained"} <= differing
        assert not {"uniform", "generator"} & differing

    def test_with_avx2_everything_is_the_same_with_two_makers(self, arrays):
        models = {*two_makers(), "Haswell", "EPYC-Rome"}
        assert find_differences(arrays, "{level: portable, cpu: avx2}", models) == set()

    def test_with_the_baseline_everything_is_the_same_on_all(self, arrays):
        models = ["Nehalem", "Haswell", "EPYC-Rome", NATIVE]
        assert find_differences(arrays, "{level: portable, cpu: baseline}", models) == set()


class TestTorch:
    def test_without_pins_an_older_processor_computes_otherwise(self, network):
        differing = find_differences(network, "bitwise", [native_or("Haswell", "avx2"), "Nehalem"])
        # Not "exp": on an AMD processor MKL computes it as on a Nehalem.
        assert {"normal", "product", "perceptron by SGD", "network by SGD"} <= differing
        assert "uniform" not in differing

    def test_intels_processors_with_avx2_train_the_same_weights(self, network):
        models = ["Haswell", native_or("Skylake-Client-v4", "avx2-intel")]
        assert find_differences(network, "{level: portable, cpu: avx2-intel}", models) == set()

    def test_two_makers_agree_on_all_but_square_roots(self, network):
        assert find_differences(network, "{level: portable, cpu: avx2}", two_makers()) <= SQRT

    def test_with_the_baseline_old_and_new_agree_on_all_but_square_roots(self, network):
        models = ["Nehalem", NATIVE]
        assert find_differences(network, "{level: portable, cpu: baseline}", models) <= SQRT


class TestTensorflow:
    """It takes minutes on a model; its wheels need AVX."""

    def test_without_pins_an_older_processor_computes_otherwise(self, tensors):
        differing = find_differences(tensors, "bitwise", [native_or("Haswell", "avx2"), "SandyBridge"])
        assert {"product", "perceptron by SGD"} <= differing
        assert not {"uniform", "shuffle"} & differing

    def test_two_makers_agree(self, tensors):
        assert find_differences(tensors, "{level: portable, cpu: avx2}", two_makers()) == set()


class TestJax:
    """What it compiles takes minutes on a model; its wheels need AVX."""

    def test_without_pins_an_older_processor_computes_otherwise(self, products):
        differing = find_differences(products, "bitwise", [native_or("Haswell", "avx2"), "SandyBridge"])
        assert differing == {"product"}

    def test_two_makers_agree(self, functions):
        assert find_differences(functions, "{level: portable, cpu: avx2}", two_makers()) == set()
