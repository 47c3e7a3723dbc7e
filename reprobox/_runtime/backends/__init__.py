"""The backends: what each is named in a record, and the modules whose import makes it time to seed it.

Each has a module of the same name in this package with three functions:

``find_version(module)``               the version, as text
``seed(module, seed, event)``          seed it; return the seed now in force, or None where there was nothing to seed
``list_switches(module, switches)``    its switches for the contract's ``switches``, as :class:`..switches.Switch`

and, where the program can make generators that nobody seeds, or seed again what has been seeded, a fourth:

``watch(module, streams)``             seed those and note it, with :class:`..streams.Streams`; called at every import

A module may have a ``NOTE`` besides: where its numbers come from, which goes into the record also where ``seed``
returns None. ``event`` is "start", "import", "fork" (a bare ``os.fork``) or "worker" (a process of multiprocessing's).
"""

import sys

BACKENDS = {
    "hashing": (),
    "random": ("random",),
    "numpy": ("numpy.random",),
    "torch": ("torch",),
    "inductor": ("torch._inductor.config",),
    "tensorflow": ("tensorflow",),
    "keras": ("keras", "tf_keras"),
    "accelerate": ("accelerate",),
    "catboost": ("catboost",),
    "chainer": ("chainer",),
    "cupy": ("cupy",),
    "gymnasium": ("gymnasium",),
    "jax": ("jax",),
    "lightgbm": ("lightgbm",),
    "lightning": ("lightning", "pytorch_lightning"),
    "mxnet": ("mxnet",),
    "numba": ("numba",),
    "paddle": ("paddle",),
    "pytensor": ("pytensor", "aesara"),
    "scipy": ("scipy",),
    "sklearn": ("sklearn",),
    "forests": ("sklearn.ensemble._forest", "sklearn.ensemble._iforest", "sklearn.ensemble.forest"),
    "theano": ("theano",),
    "transformers": ("transformers",),
    "xgboost": ("xgboost",),
}


def load_backend(name):
    """Return the module of a backend; only then is its code read."""
    full = __name__ + "." + name
    __import__(full)
    return sys.modules[full]
