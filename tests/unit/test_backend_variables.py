"""Which variables an image carries for the backends that its lock holds."""

import pytest
from packaging.specifiers import SpecifierSet

from reprobox.backend_variables import list_backend_variables, load_variables, merge_variables

BITWISE = {"hash_seed": 32, "threads": 2, "deterministic_kernels": True, "cudnn_benchmark": False}


def test_nothing_is_set_for_packages_that_need_nothing():
    assert list_backend_variables({"numpy": "2.3.5", "torch": "2.13.0", "jax": "0.12.0"}, BITWISE, 32) == {}


def test_nothing_is_set_at_off_and_only_seeds_at_seeded():
    packages = {"numba": "0.68.1", "lightning": "2.6.6", "mxnet": "1.9.1", "transformers": "5.23.0"}
    assert list_backend_variables(packages, {}, None) == {}
    assert list_backend_variables(packages, {"hash_seed": 32}, 32) == {"PL_GLOBAL_SEED": "32"}


def test_bitwise_sets_what_each_installed_backend_reads():
    packages = {"numba": "0.68.1", "mxnet-cu112": "1.9.1", "Transformers": "5.23.0"}
    assert list_backend_variables(packages, BITWISE, 32) == {
        "FLASH_ATTENTION_DETERMINISTIC": "1",
        "MXNET_CUDNN_AUTOTUNE_DEFAULT": "0",
        "MXNET_ENFORCE_DETERMINISM": "1",
        "MXNET_USE_OPERATOR_TUNING": "0",
        "NUMBA_NUM_THREADS": "2",
    }


def test_a_switch_that_the_spec_turns_round_is_not_set():
    switches = {**BITWISE, "deterministic_kernels": False, "cudnn_benchmark": True}
    assert list_backend_variables({"mxnet": "1.9.1"}, switches, 32) == {}


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("0.4.30", None),
        ("0.4.31", "--xla_gpu_deterministic_ops=true"),
        ("0.5.3", "--xla_gpu_deterministic_ops=true --xla_gpu_enable_scatter_determinism_expander=false"),
        ("0.12.0.1", "--xla_gpu_deterministic_ops=true"),
        ("0.13.0", None),
    ],
)
def test_xla_gets_only_flags_that_its_version_knows(version, flags):
    assert list_backend_variables({"jax-cuda12-plugin": version}, BITWISE, 32).get("XLA_FLAGS") == flags


@pytest.mark.parametrize(
    ("name", "version", "known"),
    [
        ("tensorflow", "2.21.0", True),
        ("tensorflow-cpu", "2.21.0", True),
        ("tensorflow", "2.20.0", False),
        ("tensorflow", "2.22.0", False),
        ("tf-nightly", "2.21.0.dev1", False),
        ("tensorflow-datasets", "4.9.9", True),  # reads nothing of it
    ],
)
def test_xla_gets_them_only_beside_a_tensorflow_that_knows_them_too(name, version, known):
    packages = {"jax-cuda12-plugin": "0.12.0", name: version}
    flags = list_backend_variables(packages, BITWISE, 32).get("XLA_FLAGS")
    assert flags == ("--xla_gpu_deterministic_ops=true" if known else None)


@pytest.mark.parametrize(
    ("name", "version", "off"),
    [
        ("nvidia-nccl-cu13", "2.27.7", "0"),
        ("nvidia-nccl-cu12", "2.17.1", "0"),
        ("nvidia-nccl-cu11", "2.14.3", None),
    ],
)
def test_nccl_does_not_add_up_in_the_switches(name, version, off):
    assert list_backend_variables({name: version}, BITWISE, 32).get("NCCL_NVLS_ENABLE") == off
    assert list_backend_variables({name: version}, {**BITWISE, "deterministic_kernels": False}, 32) == {}


@pytest.mark.parametrize(("version", "cudnn"), [("1.17.0", "0"), ("1.18.0", None), ("7.8.1", None)])
def test_chainer_goes_without_cudnn_where_it_has_no_deterministic_algorithm(version, cudnn):
    assert list_backend_variables({"chainer": version}, BITWISE, 32).get("CHAINER_CUDNN") == cudnn


@pytest.mark.parametrize(
    ("version", "variables"),
    [
        ("1.13.2", {}),
        ("1.14.0", {"TF_CUDNN_DETERMINISTIC": "1"}),
        ("2.0.4", {"TF_CUDNN_DETERMINISTIC": "1"}),
        ("2.1.0", {}),
        ("2.5.3", {"TF_CUDNN_USE_FRONTEND": "1"}),
        ("2.7.4", {"TF_CUDNN_USE_FRONTEND": "1"}),
        ("2.8.0", {}),
    ],
)
@pytest.mark.parametrize("package", ["tensorflow", "tensorflow-gpu"])
def test_tensorflow_gets_the_variables_of_cudnn_that_its_version_reads(package, version, variables):
    assert list_backend_variables({package: version}, BITWISE, 32) == variables
    assert list_backend_variables({package: version}, {**BITWISE, "deterministic_kernels": False}, 32) == {}


def test_flags_are_joined_and_other_variables_replaced():
    below = {"XLA_FLAGS": "--a=1", "NPROC": "1"}
    merge_variables(below, {"XLA_FLAGS": "--b=2", "NPROC": "2", "NEW": "3"})
    assert below == {"XLA_FLAGS": "--a=1 --b=2", "NPROC": "2", "NEW": "3"}


@pytest.mark.parametrize("entry", load_variables(), ids=lambda entry: entry["name"])
def test_every_entry_has_its_source_and_is_well_formed(entry):
    assert entry["source"]
    assert entry["packages"]
    assert entry["when"].removeprefix("not ") in {"seed", *BITWISE}
    SpecifierSet(entry.get("versions", ""))
