"""CatBoost: each model has its own seed, 0 unless it is given one, and its own threads.

https://catboost.ai/docs/en/references/training-parameters/common (random_seed, thread_count)
"""

import sys

from ..switches import Switch
from ..wrapping import is_wrapped, wrap

NOTE = "has no global seed: a model takes random_seed=, and 0 without one, whatever the run's seed is"


def find_version(module):
    """Return CatBoost's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: a model without a seed always has 0."""
    return None


def list_switches(module, switches):
    """Return the thread count of every training that the program gives none: CatBoost asks no OpenMP, and takes all."""
    if "threads" not in switches:
        return []
    core = sys.modules.get("catboost.core")
    base = getattr(core, "_CatBoostBase", None)

    def write(count):
        wrap(base, "_train", lambda original: _make_train(original, switch))
        wrap(core, "_cv", lambda original: _make_cv(original, switch))

    detail = "its documentation says that it does not change the result on a CPU"
    name, wanted = "catboost thread_count", switches["threads"]
    if not hasattr(base, "_train"):
        return [Switch(name, wanted, None)]
    switch = Switch(name, wanted, write, lambda: wanted if is_wrapped(base._train) else None, detail)
    return [switch]


def _make_train(original, switch):
    """What every ``fit`` ends in, with the parameters under their main names.

    https://github.com/catboost/catboost/blob/v1.2.10/catboost/python-package/catboost/core.py (_CatBoostBase, cv)
    """

    def _train(self, train_pool, test_pool, params, *args, **kwargs):
        return original(self, train_pool, test_pool, _fill(params, switch), *args, **kwargs)

    return _train


def _make_cv(original, switch):
    """What ``cv`` ends in."""

    def _cv(params, *args, **kwargs):
        return original(_fill(params, switch), *args, **kwargs)

    return _cv


def _fill(params, switch):
    """Return the parameters with the thread count where the program gives none."""
    if not isinstance(params, dict):
        return params
    if "thread_count" not in params:
        return dict(params, thread_count=switch.wanted)
    switch.note_given(params["thread_count"])
    return params
