"""CatBoost: each model has its own seed, 0 unless it is given one, and its own threads.

https://catboost.ai/docs/en/references/training-parameters/common (random_seed, thread_count)
"""

import sys

from ..switches import Switch
from ..wrapping import wrap

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
    base = getattr(sys.modules.get("catboost.core"), "_CatBoostBase", None)

    def write(count):
        wrap(base, "_train", _make_train)
        base._train.reprobox_defaults["thread_count"] = count

    detail = "its documentation says that it does not change the result on a CPU"
    name, wanted = "catboost thread_count", switches["threads"]
    if not hasattr(base, "_train"):
        return [Switch(name, wanted, None)]
    return [Switch(name, wanted, write, lambda: base._train.reprobox_defaults.get("thread_count"), detail)]


def _make_train(original):
    """What every ``fit`` ends in, with the parameters under their main names.

    https://github.com/catboost/catboost/blob/v1.2.10/catboost/python-package/catboost/core.py (_CatBoostBase)
    """
    defaults = {}

    def _train(self, train_pool, test_pool, params, *args, **kwargs):
        if isinstance(params, dict):
            params = dict(defaults, **params)
        return original(self, train_pool, test_pool, params, *args, **kwargs)

    _train.reprobox_defaults = defaults
    return _train
