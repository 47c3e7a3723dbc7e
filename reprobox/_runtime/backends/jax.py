"""JAX: no generator to seed, and on a CPU as many threads as the process may use cores unless a variable says how many.

https://docs.jax.dev/en/latest/random-numbers.html
"""

import os

from ..switches import Switch, environment_switch, nvls_switch
from ..versions import covers

NOTE = "has no global seed: the program makes its keys, jax.random.key(n), from numbers of its own"
_GPU_FLAG = "--xla_gpu_deterministic_ops=true"
_NO_GPU = "only of use with a GPU, which this installation does not use"


def find_version(module):
    """Return JAX's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: every draw takes a key."""
    return None


def list_switches(module, switches):
    """Return what XLA reads when JAX computes for the first time, and the precision that JAX asks it for."""
    found = []
    has_gpu = _has_gpu_plugin(os.path.dirname(os.path.dirname(module.__file__)))
    if "threads" in switches:
        found.append(_threads(find_version(module), str(switches["threads"])))
    if switches.get("deterministic_kernels"):
        found.append(_deterministic_ops(has_gpu))
        found.extend([nvls_switch()] if has_gpu else [])
    if switches.get("tf32") is False:
        found.append(_matmul_precision(module, has_gpu))
    return found


def _threads(version, wanted):
    """What XLA divides some work by; it reads it when JAX computes for the first time."""
    name = "environment PJRT_NPROC"
    if not covers(name, version):
        return Switch(name, wanted, None)
    return environment_switch("PJRT_NPROC", wanted, in_time=True)


def _deterministic_ops(has_gpu):
    """The flag of JAX on a GPU; the image has it where the version knows it, since an unknown one ends the process."""
    name = "XLA_FLAGS: xla_gpu_deterministic_ops"
    if not has_gpu:
        return Switch(name, True, None, detail=_NO_GPU)
    if _GPU_FLAG not in os.environ.get("XLA_FLAGS", ""):
        return Switch(name, True, None)
    return Switch(name, True, lambda wanted: None, lambda: _GPU_FLAG in os.environ.get("XLA_FLAGS", ""))


def _matmul_precision(jax, has_gpu):
    """On a GPU JAX takes TF32 for products of 32-bit numbers unless it is told otherwise; a call's own goes before it.

    https://docs.jax.dev/en/latest/config_options.html (jax_default_matmul_precision)
    """
    name = "jax_default_matmul_precision"
    config = getattr(jax, "config", None)
    if not has_gpu or not hasattr(config, name):
        return Switch(name, "float32", None, detail="" if has_gpu else _NO_GPU)

    def write(wanted):
        if getattr(config, name) not in (None, wanted):
            raise ValueError("the program's environment has it at %r" % getattr(config, name))
        config.update(name, wanted)

    return Switch(name, "float32", write, lambda: getattr(config, name))


def _has_gpu_plugin(folder):
    """Whether a plug-in for CUDA lies beside JAX; none is imported."""
    try:
        return any(name.startswith(("jax_cuda", "jax_rocm")) for name in os.listdir(folder))
    except OSError:
        return False
