"""Theano: no generator to seed, and the choice of cuDNN's algorithms, which it makes when a graph is compiled.

https://github.com/Theano/Theano/blob/rel-1.0.5/theano/configdefaults.py
"""

from ..switches import attribute_switch

NOTE = (
    "has no global seed: RandomStreams(n) and MRG_RandomStreams(n) take theirs when they are made; "
    "without one the first draws entropy and the second is always the same"
)


def find_version(module):
    """Return Theano's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: a graph's generators take their seeds when they are made."""
    return None


def list_switches(module, switches):
    """Return the flags, which count from the next compiled function on; ``THEANO_FLAGS`` stays the user's."""
    if not switches.get("deterministic_kernels"):
        return []
    conv = getattr(getattr(module.config, "dnn", None), "conv", None)
    found = [
        attribute_switch("theano.config.dnn.conv." + name, conv, name, "deterministic")
        for name in ("algo_bwd_filter", "algo_bwd_data")
    ]
    # It keeps one operation of the GPU, AdvancedIncSubtensor1, from atomic additions.
    return found + [attribute_switch("theano.config.deterministic", module.config, "deterministic", "more")]
