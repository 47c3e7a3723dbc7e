"""What each level sets, and what a spec's own switches do to it."""

import pytest

from reprobox.determinism import decide_environment, decide_switches
from reprobox.spec.model import Determinism, Level, Spec


def make_spec(**determinism):
    return Spec(reprobox=1, name="x", seed=32, command=("true",), determinism=Determinism(**determinism))


def test_off_sets_nothing():
    switches = decide_switches(make_spec(level=Level.OFF))
    assert switches == {}
    assert decide_environment(switches, {}) == {}


def test_seeded_fixes_the_hash_seed_and_nothing_else():
    switches = decide_switches(make_spec(level=Level.SEEDED))
    assert switches == {"hash_seed": 32}
    assert decide_environment(switches, {}) == {"PYTHONHASHSEED": "32"}


def test_bitwise_is_the_default_and_fixes_threads_and_kernels():
    spec = Spec(reprobox=1, name="x", seed=32, command=("true",))
    switches = decide_switches(spec)
    assert spec.determinism.level is Level.BITWISE
    assert switches["threads"] == 1
    assert switches["deterministic_kernels"] is True
    assert switches["cudnn_benchmark"] is False


def test_bitwise_environment_covers_every_thread_pool():
    env = decide_environment(decide_switches(make_spec(threads=3)), {})
    pools = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    )
    assert [env[name] for name in pools] == ["3"] * 5
    assert env["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert env["TF_DETERMINISTIC_OPS"] == "1"


def test_switched_off_kernels_leave_tensorflow_alone():
    env = decide_environment(decide_switches(make_spec(deterministic_kernels=False)), {})
    assert "TF_DETERMINISTIC_OPS" not in env


def test_a_single_switch_can_be_set_at_off():
    assert decide_switches(make_spec(level=Level.OFF, threads=2)) == {"threads": 2}


@pytest.mark.parametrize(("cpu", "capability"), [("avx2", "avx2"), ("baseline", "default"), (None, "avx2")])
def test_portable_pins_the_instruction_set(cpu, capability):
    env = decide_environment(decide_switches(make_spec(level=Level.PORTABLE, cpu=cpu)), {})
    assert env["ATEN_CPU_CAPABILITY"] == capability
    assert env["MKL_CBWR"] == "COMPATIBLE"


def test_hash_seed_can_differ_from_the_seed():
    assert decide_environment(decide_switches(make_spec(hash_seed=0)), {})["PYTHONHASHSEED"] == "0"
