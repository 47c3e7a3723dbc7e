"""Gymnasium: every environment has a generator of its own, which ``reset(seed=…)`` seeds.

https://gymnasium.farama.org/api/env/#gymnasium.Env.reset
"""

NOTE = "has no global seed: reset(seed=n) and action_space.seed(n); without one it draws entropy through NumPy"


def find_version(module):
    """Return Gymnasium's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: an unseeded environment asks NumPy for entropy."""
    return None


def list_switches(module, switches):
    """Return none: there are none."""
    return []
