"""XGBoost: each model has its own seed, 0 unless it is given one.

https://xgboost.readthedocs.io/en/stable/parameter.html (seed, nthread)
"""

NOTE = "has no global seed: a model takes seed= or random_state=, and 0 without one, whatever the run's seed is"


def find_version(module):
    """Return XGBoost's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: a model without a seed always has 0."""
    return None


def list_switches(module, switches):
    """Return none: ``deterministic_histogram`` is on by default, and without ``nthread`` OpenMP is asked.

    https://github.com/dmlc/xgboost/blob/v3.0.0/src/common/threading_utils.cc (OmpGetNumThreads)
    """
    return []
