"""The backends: what each is named in a record, and the modules whose import makes it time to seed it.

Each has a module of the same name in this package with three functions:

``find_version(module)``               the version, as text
``seed(module, seed, event)``          seed it; return the seed now in force, or None where there was nothing to seed
``list_switches(module, switches)``    its switches for the contract's ``switches``, as :class:`..switches.Switch`

``event`` is "start", "import", "fork" (a bare ``os.fork``) or "worker" (a process of multiprocessing's).
"""

import sys

BACKENDS = {
    "hashing": (),
    "random": ("random",),
    "numpy": ("numpy.random",),
    "torch": ("torch",),
    "inductor": ("torch._inductor.config",),
    "tensorflow": ("tensorflow",),
    "keras": ("keras",),
}


def load_backend(name):
    """Return the module of a backend; only then is its code read."""
    full = __name__ + "." + name
    __import__(full)
    return sys.modules[full]
