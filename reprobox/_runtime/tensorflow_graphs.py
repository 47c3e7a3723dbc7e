"""Graphs and sessions of TensorFlow 1's kind: a seed for each graph, the thread setting for each session.

``tf.set_random_seed`` reaches the current default graph only, and without one thread the seeds alone leave results
differing from run to run. The classes are the same in TensorFlow 1 and under ``tf.compat.v1``:
https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/python/framework/ops.py (Graph) and
https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/python/client/session.py (BaseSession)
"""

import sys

from .suspects import USER, find_owner
from .switches import Switch
from .wrapping import is_wrapped, wrap

_OPS = "tensorflow.python.framework.ops"
_SEEDING = "tensorflow.python.framework.random_seed"
_SESSION = "tensorflow.python.client.session"
_CONTEXT = "tensorflow.python.eager.context"
_PROTOCOL = "tensorflow.core.protobuf.config_pb2"
_FIELDS = ("intra_op_parallelism_threads", "inter_op_parallelism_threads")


def seed_graphs(seed):
    """Seed the default graph where there is one; made for it, it would keep eager execution from being enabled."""
    stack = getattr(sys.modules.get(_OPS), "_default_graph_stack", None)
    graph = getattr(stack, "_global_default_graph", None)
    if graph is not None:
        graph._seed = seed


def watch_graphs(streams):
    """Seed each graph when it is made, and TensorFlow 1's eager context, which gets the thread setting too."""
    graph = getattr(sys.modules.get(_OPS), "Graph", None)
    if graph is None:
        return
    wrap(graph, "__init__", lambda original: _make_graph_init(original, streams))
    _watch_seed(graph, streams)
    context = getattr(sys.modules.get(_CONTEXT), "Context", None)
    if context is not None and hasattr(context, "_set_global_seed"):
        wrap(context, "__init__", lambda original: _make_context_init(original, streams))


def list_session_switches(count):
    """Return the switch that puts the thread setting into the configuration of every session."""
    base = getattr(sys.modules.get(_SESSION), "BaseSession", None)
    name = "tf.compat.v1.Session threads"
    if base is None:
        return [Switch(name, count, None)]

    def write(value):
        wrap(base, "__init__", lambda original: _make_session_init(original, switch))

    switch = Switch(name, count, write, lambda: count if is_wrapped(base.__init__) else None)
    return [switch]


def _make_graph_init(original, streams):
    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if streams.active:
            # A function's graph takes the seed of the context or of the graph around it after this.
            self._seed = streams.seed

    return init


def _make_context_init(original, streams):
    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if streams.active and getattr(self, "_seed", None) is None:
            self._set_global_seed(streams.seed)
        for field in ("_" + field for field in _FIELDS):
            if "threads" in streams.switches and getattr(self, field, 0) is None:
                setattr(self, field, streams.switches["threads"])

    return init


def _watch_seed(graph, streams):
    known = vars(graph).get("seed")
    setter = getattr(known, "fset", None)
    if setter is None or hasattr(setter, "reprobox_original"):
        return

    def set_seed(self, seed):
        caller = sys._getframe(1)
        # TensorFlow's own graphs hand their seeds on to one another.
        if caller.f_globals.get("__name__") == _SEEDING or find_owner(caller) == USER:
            streams.note_reseed("tf.compat.v1.set_random_seed", seed)
        setter(self, seed)

    set_seed.reprobox_original = setter
    graph.seed = property(known.fget, set_seed, known.fdel, known.__doc__)


def _make_session_init(original, switch):
    def init(self, target="", graph=None, config=None):
        try:
            config = _fill_threads(config, switch)
        except Exception:
            # Whatever the program has given instead of a configuration, TensorFlow says what is wrong with it.
            pass
        original(self, target, graph, config)

    return init


def _fill_threads(config, switch):
    """Return the configuration with the thread setting where the program has none; a note where it has another."""
    if config is None:
        config = _find_default()
    filled = type(config)()
    filled.CopyFrom(config)
    for field in _FIELDS:
        if not getattr(config, field):
            setattr(filled, field, switch.wanted)
        else:
            switch.note_given(getattr(config, field))
    return filled


def _find_default():
    """Return what a session takes that is given no configuration: that of ``tf.config`` where there is one."""
    kind = sys.modules[_PROTOCOL].ConfigProto
    try:
        config = sys.modules[_CONTEXT].context().config
    except (KeyError, AttributeError):
        return kind()
    return config if isinstance(config, kind) else kind()
