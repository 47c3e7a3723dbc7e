"""The states of the global generators, as short hashes: whether two runs had drawn the same up to here."""

import sys

from .trace_values import hash_bytes

_MASK = 0xFFFFFFFFFFFFFFFF


def read_states():
    """Return name -> hash for every generator whose module is loaded; one that cannot be read is left out."""
    states = {}
    for name, module_name, read in _READERS:
        module = sys.modules.get(module_name)
        if module is not None:
            try:
                states.update(read(module, name))
            except Exception:
                # A user's own module of that name, or one that is being imported.
                pass
    return states


def _read_random(module, name):
    return {name: _hash_python_state(module.getstate())}


def _hash_python_state(state):
    # The hash of numbers is the same in every process, unlike that of a text or of None.
    _, words, gauss = state
    return "%016x" % (hash((words, gauss is None, gauss or 0.0)) & _MASK)


def _read_numpy(module, name):
    state = module.get_state()
    return {name: hash_bytes(state[1], repr(state[2:]).encode("ascii"))}


def _read_torch(module, name):
    states = {name: _hash_tensor(module.default_generator.get_state())}
    cuda = getattr(module, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        for index, generator in enumerate(cuda.default_generators):
            states["%s.cuda%d" % (name, index)] = _hash_tensor(generator.get_state())
    return states


def _hash_tensor(state):
    if "numpy" in sys.modules:
        return hash_bytes(state.numpy())
    return hash_bytes(bytes(bytearray(state.tolist())))


def _read_tensorflow(module, name):
    # The generator that gives every operation without a seed one; none before the first of them.
    context = module._context
    return {} if context is None else {name: _hash_python_state(context._rng.getstate())}


def _read_tensorflow_generator(module, name):
    # None before the program has asked for it. Its state is a tensor that only eager code can read.
    generator = module.global_generator
    return {} if generator is None else {name: hash_bytes(generator.state.numpy())}


def _read_numba(module, name):
    """The two generators of this thread's compiled code: of ``np.random`` and of ``random``.

    https://github.com/numba/numba/blob/0.60.0/numba/_random.c (rnd_get_state)
    """
    states = {}
    for key, find in ((name, module.rnd_get_np_state_ptr), (name + ".random", module.rnd_get_py_state_ptr)):
        index, words = module.rnd_get_state(find())[:2]
        states[key] = "%016x" % (hash((index, tuple(words))) & _MASK)
    return states


def _read_paddle(module, name):
    """The processor's generator: its state as text, in which the address of an object says nothing."""
    words = str(module.framework.core.default_cpu_generator().get_state()).split()
    words = [word for word in words if not word.startswith("0x")]
    # Anything as short is the name of an object.
    return {name: hash_bytes(" ".join(words).encode("ascii"))} if len(words) > 100 else {}


_READERS = (
    ("random", "random", _read_random),
    ("numpy", "numpy.random", _read_numpy),
    ("torch", "torch", _read_torch),
    ("tensorflow", "tensorflow.python.eager.context", _read_tensorflow),
    ("tf.random.Generator", "tensorflow.python.ops.stateful_random_ops", _read_tensorflow_generator),
    ("numba", "numba._helperlib", _read_numba),
    ("paddle", "paddle", _read_paddle),
)
