"""TensorFlow 2: its global seed and the switches that make its operations deterministic.

https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism
"""

import sys

from ..switches import Switch


def find_version(module):
    """Return TensorFlow's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Set the global seed; in a forked child only where TensorFlow has not started in the parent.

    A started runtime has threads that fork does not copy: calling into it from the child can hang for ever.
    https://www.tensorflow.org/api_docs/python/tf/random/set_seed
    """
    if not _is_version_2(module) or (event != "import" and _has_started()):
        return None
    module.random.set_seed(seed)
    return seed


def list_switches(module, switches):
    """Return the switches that this version has; none of them starts TensorFlow's runtime."""
    if not _is_version_2(module):
        return []
    experimental = module.config.experimental
    found = []
    if switches.get("deterministic_kernels"):
        found.append(_op_determinism(experimental))
    if "tf32" in switches:
        found.append(_tf32(experimental, switches["tf32"]))
    if "threads" in switches:
        found.extend(_threads(module.config.threading, switches["threads"]))
    return found


def _is_version_2(tensorflow):
    return find_version(tensorflow).split(".")[0] == "2"


def _op_determinism(experimental):
    name = "tf.config.experimental.enable_op_determinism"
    enable = getattr(experimental, "enable_op_determinism", None)
    if enable is None:
        # https://github.com/NVIDIA/framework-reproducibility/blob/master/doc/d9m/tensorflow_status.md
        return Switch(name, True, None, detail="needs TensorFlow 2.8; TF_DETERMINISTIC_OPS=1 stands in for it")
    return Switch(name, True, lambda wanted: enable(), _read_op_determinism)


def _read_op_determinism():
    config = sys.modules.get("tensorflow.python.framework.config")
    # Not public; without it, the call having returned has to be enough.
    read = getattr(config, "is_op_determinism_enabled", None)
    return read() if read else True


def _tf32(experimental, wanted):
    name = "tf.config.experimental.enable_tensor_float_32_execution"
    write = getattr(experimental, "enable_tensor_float_32_execution", None)
    read = getattr(experimental, "tensor_float_32_execution_enabled", None)
    return Switch(name, wanted, write, read, "" if write else "needs TensorFlow 2.4")


def _threads(threading, count):
    return [
        Switch(
            "tf.config.threading.set_%s_op_parallelism_threads" % kind,
            count,
            getattr(threading, "set_%s_op_parallelism_threads" % kind),
            getattr(threading, "get_%s_op_parallelism_threads" % kind),
        )
        for kind in ("intra", "inter")
    ]


def _has_started():
    """Whether the eager context has been made; when that cannot be told, assume so."""
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(eager, "_context", None)
    return bool(getattr(context, "_initialized", True)) if context is not None else False
