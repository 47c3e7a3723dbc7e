"""XGBoost: each model has its own seed, 0 unless it is given one.

https://xgboost.readthedocs.io/en/stable/parameter.html (seed, nthread)
"""

import os

from ..switches import Switch
from ..wrapping import wrap

NOTE = "has no global seed: a model takes seed= or random_state=, and 0 without one, whatever the run's seed is"
_THREADS = ("nthread", "n_jobs")
"""The names under which a program decides how many there are."""


def find_version(module):
    """Return XGBoost's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: a model without a seed always has 0."""
    return None


def list_switches(module, switches):
    """Return the check of what a model without ``nthread`` asks: OpenMP. ``deterministic_histogram`` is on by default.

    https://github.com/dmlc/xgboost/blob/v3.0.0/src/common/threading_utils.cc (OmpGetNumThreads)
    """
    if "threads" not in switches:
        return []
    name, wanted = "xgboost nthread", switches["threads"]

    def write(count):
        wrap(module.Booster, "set_param", lambda original: _make_set_param(original, switch))

    detail = "OMP_NUM_THREADS, where the program gives the model none of its own"
    switch = Switch(name, wanted, write, _read_openmp, detail)
    return [switch]


def _read_openmp():
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdigit() else text


def _make_set_param(original, switch):
    """What the parameters of every model go through, however it is trained."""

    def set_param(self, params, value=None):
        try:
            _note_threads(params, value, switch)
        except Exception:
            # XGBoost says what is wrong with them.
            pass
        return original(self, params, value)

    return set_param


def _note_threads(params, value, switch):
    if isinstance(params, str):
        params = [(params, value)]
    elif hasattr(params, "items"):
        params = list(params.items())
    # Anything else but a list may be used up by looking at it.
    for name, count in params if isinstance(params, list) else ():
        # None, and no number of threads, leave it to OpenMP.
        if name in _THREADS and count is not None and int(count) > 0:
            switch.note_given(count)
