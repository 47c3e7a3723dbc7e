"""NumPy's legacy global generator, ``np.random.seed``; ``default_rng()`` has no global seed.

https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html
"""

import sys


def find_version(module):
    """Return NumPy's version; ``module`` is ``numpy.random``."""
    # While numpy is being imported its version may not be there yet: it is asked again when the process ends.
    return str(getattr(sys.modules.get("numpy"), "__version__", ""))


def seed(module, seed, event):
    """Seed the global generator: scikit-learn's ``random_state=None``, SciPy and pandas draw from it too."""
    module.seed(seed)
    return seed


def list_switches(module, switches):
    """Return none: BLAS threads are the environment's, read when NumPy is loaded."""
    return []
