"""CuPy: the variable that it seeds each device's generator from; no device is woken for it.

https://github.com/cupy/cupy/blob/v13.4.0/cupy/random/_generator.py (get_random_state)
"""

import os
import sys

from ..wrapping import wrap


def find_version(module):
    """Return CuPy's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Set ``CUPY_SEED``, read when a device's generator is made, and forget the generators that there are.

    ``cupy.random.seed`` would start CUDA and reach the current device only. The one inside Chainer 1 knows
    ``CHAINER_SEED`` only: https://github.com/chainer/chainer/blob/v1.24.0/cupy/random/generator.py
    """
    os.environ["CUPY_SEED"] = os.environ["CHAINER_SEED"] = str(seed)
    for name in ("cupy.random._generator", "cupy.random.generator"):
        made = getattr(sys.modules.get(name), "_random_states", None)
        if isinstance(made, dict):
            made.clear()
    return seed


def list_switches(module, switches):
    """Return none: what it computes with are cuBLAS and cuDNN, which the environment has told already."""
    return []


def watch(module, streams):
    """Notice the program seeding it."""
    wrap(module.random, "seed", lambda original: _make_seed(original, streams))


def _make_seed(original, streams):
    def seed(seed=None):
        streams.note_reseed("cupy.random.seed", seed)
        return original(seed)

    return seed
