"""What a determinism level means: the switches the runtime sets and the variables the image carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from reprobox.pins import choose_pins
from reprobox.spec.model import Determinism, Level, Spec

Switch = bool | int | str


def decide_switches(spec: Spec) -> dict[str, Switch]:
    """Return every switch of the spec's level, with the spec's own settings put over them.

    At ``off`` only what the spec sets itself remains; at ``seeded`` the hash seed besides.
    """
    chosen = {**_level_switches(spec), **_overrides(spec.determinism)}
    return dict(sorted(chosen.items()))


def _level_switches(spec: Spec) -> dict[str, Switch]:
    match spec.determinism.level:
        case Level.OFF:
            return {}
        case Level.SEEDED:
            return {"hash_seed": spec.seed}
        case Level.BITWISE:
            return _bitwise_switches(spec.seed)
        case Level.PORTABLE:
            return {**_bitwise_switches(spec.seed), "cpu": "avx2"}


def _bitwise_switches(seed: int) -> dict[str, Switch]:
    return {
        "hash_seed": seed,
        "threads": 1,
        "deterministic_kernels": True,
        "cudnn_benchmark": False,
        "tf32": False,
        "cublas_workspace": ":4096:8",
        # Filling is for programs that read memory before writing it; valid ones get the same bits without, and faster.
        "fill_uninitialized_memory": False,
    }


def _overrides(determinism: Determinism) -> dict[str, Switch]:
    return {name: value for name, value in asdict(determinism).items() if name != "level" and value is not None}


def decide_environment(switches: Mapping[str, Switch], installed: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that must be set before the interpreter or a library starts, for these switches.

    ``installed`` maps the image's packages, and ``glibc``, to their versions: some names differ from one to the next.
    """
    env: dict[str, str] = {}
    if "hash_seed" in switches:
        env["PYTHONHASHSEED"] = str(switches["hash_seed"])
    if "threads" in switches:
        env |= _thread_variables(str(switches["threads"]))
    if switches.get("deterministic_kernels"):
        # TensorFlow 2.1 and newer read it, also where enable_op_determinism() exists.
        env["TF_DETERMINISTIC_OPS"] = "1"
    if "cublas_workspace" in switches:
        # cuBLAS reads it when a handle is made, so it must precede the process: CUDA 10.2 and newer.
        env["CUBLAS_WORKSPACE_CONFIG"] = str(switches["cublas_workspace"])
    if "cpu" in switches:
        env |= choose_pins(str(switches["cpu"]), installed)
    return env


def _thread_variables(count: str) -> dict[str, str]:
    return {
        "MKL_DYNAMIC": "FALSE",
        "MKL_NUM_THREADS": count,
        "NUMEXPR_NUM_THREADS": count,
        "OMP_DYNAMIC": "FALSE",
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
    }
