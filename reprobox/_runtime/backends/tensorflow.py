"""TensorFlow: its global seed, graphs and sessions of its first version's kind, and the switches of its operations.

https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism
"""

import sys

from ..switches import Switch, environment_switch
from ..tensorflow_graphs import list_session_switches, seed_graphs, watch_graphs
from ..versions import covers
from ..wrapping import wrap

_VARIABLES = (
    # Read at the first operation that needs them; the image has them from the start, for TensorFlow's own packages.
    ("TF_CUDNN_DETERMINISTIC", "1"),
    ("TF_CUDNN_USE_FRONTEND", "1"),
    ("TF_DETERMINISTIC_OPS", "1"),
)


def find_version(module):
    """Return TensorFlow's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Set the global seed; in a forked child only where TensorFlow has not started in the parent.

    A started runtime has threads that fork does not copy: calling into it from the child can hang for ever.
    https://www.tensorflow.org/api_docs/python/tf/random/set_seed
    """
    if not _is_version_2(module):
        seed_graphs(seed)
        return seed
    if event != "import" and _has_started():
        return None
    module.random.set_seed(seed)
    return seed


def list_switches(module, switches):
    """Return the switches that this version has; none of them starts TensorFlow's runtime."""
    version = find_version(module)
    experimental = getattr(getattr(module, "config", None), "experimental", None)
    found = []
    if switches.get("deterministic_kernels"):
        found.append(_op_determinism(experimental if _is_version_2(module) else None))
        found.extend(_list_variables(version, found[0].write is not None))
    if "tf32" in switches:
        found.append(_tf32(experimental, switches["tf32"]))
    if "threads" in switches:
        # TensorFlow 1 lets eager execution be enabled only while nothing has been set in this way.
        threading = module.config.threading if _is_version_2(module) else None
        found.extend(_threads(threading, switches["threads"]))
        found.extend(list_session_switches(switches["threads"]))
    return found


def watch(module, streams):
    """Seed every new graph and bound every session's threads, as they are made; notice seeds the program sets."""
    watch_graphs(streams)
    context = sys.modules.get("tensorflow.python.eager.context")
    wrap(context, "set_global_seed", lambda original: _make_set_global_seed(original, streams))
    # What get_global_generator() and Generator.from_non_deterministic_state() ask, unless op determinism refuses them.
    generators = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    wrap(generators, "non_deterministic_ints", lambda original: _make_ints(original, streams))


def _make_set_global_seed(original, streams):
    def set_global_seed(seed):
        streams.note_reseed("tf.random.set_seed", seed)
        return original(seed)

    return set_global_seed


def _make_ints(original, streams):
    def non_deterministic_ints(shape, dtype):
        if not isinstance(shape, (list, tuple)) or len(shape) != 1 or not isinstance(shape[0], int):
            streams.note_unseeded("tf.random.Generator takes its seed from the operating system")
            return original(shape=shape, dtype=dtype)
        streams.note_unseeded("tf.random.Generator without a seed")
        if not streams.active:
            return original(shape=shape, dtype=dtype)
        numbers = [streams.draw("tensorflow", 63) for _ in range(shape[0])]
        return sys.modules["tensorflow.python.framework.constant_op"].constant(numbers, dtype=dtype)

    return non_deterministic_ints


def _is_version_2(tensorflow):
    return find_version(tensorflow).split(".")[0] not in ("0", "1")


def _list_variables(version, has_switch):
    """The variables of versions that have no function, or not for all of it."""
    for name, value in _VARIABLES:
        if not has_switch and covers("environment " + name, version):
            yield environment_switch(name, value, in_time=True)


def _op_determinism(experimental):
    name = "tf.config.experimental.enable_op_determinism"
    enable = getattr(experimental, "enable_op_determinism", None)
    if enable is None:
        return Switch(name, True, None)
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
    return Switch(name, wanted, write, read)


def _threads(threading, count):
    return [
        Switch(
            "tf.config.threading.set_%s_op_parallelism_threads" % kind,
            count,
            getattr(threading, "set_%s_op_parallelism_threads" % kind, None),
            getattr(threading, "get_%s_op_parallelism_threads" % kind, None),
        )
        for kind in ("intra", "inter")
    ]


def _has_started():
    """Whether the eager context has been made; when that cannot be told, assume so."""
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(eager, "_context", None)
    return bool(getattr(context, "_initialized", True)) if context is not None else False
