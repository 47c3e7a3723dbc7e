"""scikit-learn: ``random_state=None`` is NumPy's global generator, which is seeded.

https://scikit-learn.org/stable/glossary.html#term-random_state
"""

NOTE = "draws from numpy's global generator where random_state is None"


def find_version(module):
    """Return scikit-learn's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: there is nothing but NumPy's generator."""
    return None


def list_switches(module, switches):
    """Return none: OpenMP's and BLAS's threads are the environment's."""
    return []
