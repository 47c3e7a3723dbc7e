"""scikit-learn's forests: their trees' answers are added in the order in which threads end, unless there is one thread.

https://github.com/scikit-learn/scikit-learn/blob/1.9.0/sklearn/ensemble/_forest.py (_accumulate_prediction)
"""

import sys

from ..switches import Switch


def find_version(module):
    """Return scikit-learn's version; ``module`` is one of its ensembles."""
    return str(getattr(sys.modules.get("sklearn"), "__version__", ""))


def seed(module, seed, event):
    """Seed nothing: forests draw from NumPy's generator."""
    return None


def list_switches(module, switches):
    """Return what has a forest ask one tree after the other; growing them, which takes the time, stays parallel."""
    if not switches.get("deterministic_kernels"):
        return []
    name = "%s: sums in the order of the trees" % module.__name__

    def write(wanted):
        if not _is_ordered(module):
            module.Parallel = _make_ordered(module.Parallel)

    return [Switch(name, True, write if hasattr(module, "Parallel") else None, lambda: _is_ordered(module))]


def _is_ordered(module):
    return getattr(module.Parallel, "reprobox_ordered", False)


def _make_ordered(original):
    class Ordered(original):
        reprobox_ordered = True

        def __init__(self, n_jobs=None, *args, **kwargs):
            # Of all that an ensemble does in parallel, what adds to one array under a lock alone asks for this.
            if kwargs.get("require") == "sharedmem":
                n_jobs = 1
            super(Ordered, self).__init__(n_jobs, *args, **kwargs)

    Ordered.__name__, Ordered.__qualname__ = original.__name__, original.__qualname__
    Ordered.__module__ = original.__module__
    return Ordered
