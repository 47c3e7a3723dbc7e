"""Keras: nothing of its own but a note of the seed, since it draws from ``random``, from NumPy and from its backend.

``keras.utils.set_random_seed`` is not called: it would import TensorFlow where that is merely installed, and would
start ``random`` and NumPy again for a program that has already drawn from them.
https://github.com/keras-team/keras/blob/v3.15.1/keras/src/utils/rng_utils.py

Keras 2 takes the seeds of its layers from NumPy (before 2.4) or from ``random``:
https://github.com/keras-team/keras/blob/2.0.3/keras/backend/theano_backend.py (random_uniform) and
https://github.com/keras-team/keras/blob/v2.15.0/keras/backend.py (RandomGenerator.make_legacy_seed)
"""

import sys

NOTE = "draws from random, from numpy and from its backend"


def find_version(module):
    """Return Keras' version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Note the seed in Keras 3, as ``set_random_seed`` does; generators take theirs from ``random`` at first use."""
    state = sys.modules.get("keras.src.backend.common.global_state")
    if state is None or not hasattr(state, "set_global_attribute"):
        return None
    state.set_global_attribute("global_random_seed", seed)
    if event != "import":
        # A worker must not go on with the generator that its parent had.
        state.set_global_attribute("global_seed_generator", None)
    return seed


def list_switches(module, switches):
    """Return none: they are TensorFlow's, PyTorch's or JAX's."""
    return []
