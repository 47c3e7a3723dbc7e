"""MXNet: the generators of all its contexts, and the variables that it reads when its library is loaded.

https://mxnet.apache.org/versions/1.9.1/api/faq/env_var
"""

from ..switches import environment_switch
from ..wrapping import wrap

NOTE = "gluon's data loaders draw from random and numpy"


def find_version(module):
    """Return MXNet's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed every context's generator, those made later included."""
    module.random.seed(seed)
    return seed


def list_switches(module, switches):
    """Return the checks of the variables; they come with the image."""
    found = []
    if switches.get("deterministic_kernels"):
        found.append(environment_switch("MXNET_ENFORCE_DETERMINISM", "1"))
        found.append(environment_switch("MXNET_USE_OPERATOR_TUNING", "0"))
    if switches.get("cudnn_benchmark") is False:
        found.append(environment_switch("MXNET_CUDNN_AUTOTUNE_DEFAULT", "0"))
    return found


def watch(module, streams):
    """Notice the program seeding it."""
    wrap(module.random, "seed", lambda original: _make_seed(original, streams))


def _make_seed(original, streams):
    def seed(seed_state, *args, **kwargs):
        streams.note_reseed("mxnet.random.seed", seed_state)
        return original(seed_state, *args, **kwargs)

    return seed
