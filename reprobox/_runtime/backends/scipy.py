"""SciPy: ``random_state=None`` and ``rng=None`` are NumPy's business.

https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.rv_continuous.rvs.html
"""

NOTE = "draws from numpy: its global generator for random_state=None, a fresh one for rng=None"


def find_version(module):
    """Return SciPy's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: there is nothing but NumPy's generators."""
    return None


def list_switches(module, switches):
    """Return none: BLAS threads are the environment's."""
    return []
