"""LightGBM: each model has its own seed, a constant unless it is given one, and its own parameters for the rest.

https://lightgbm.readthedocs.io/en/stable/Parameters.html (seed, deterministic, force_row_wise, num_threads)
"""

import sys

from ..switches import Switch
from ..versions import covers
from ..wrapping import wrap

NOTE = (
    "has no global seed: a model takes seed= or random_state=, and a constant without one, whatever the run's seed is"
)

_SAME = {
    "force_row_wise": ("force_row_wise", "force_col_wise"),
    "num_threads": ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs"),
}
"""Parameter -> the names under which a program decides it."""


def find_version(module):
    """Return LightGBM's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: a model without a seed always has the same one."""
    return None


def list_switches(module, switches):
    """Return the parameters that a model is trained with where the program gives none, and what n_jobs=None means."""
    found = []
    if "threads" in switches:
        found.append(_cores(sys.modules.get("lightgbm.sklearn"), switches["threads"]))
        found.append(_parameter(module, "num_threads", switches["threads"]))
    if switches.get("deterministic_kernels"):
        found.append(_parameter(module, "deterministic", True))
        # Without it, or its opposite, LightGBM tries both ways and takes the faster one.
        found.append(_parameter(module, "force_row_wise", True))
    return found


def _parameter(module, parameter, wanted):
    """A default for every training: whatever trains, ``train``, ``cv`` or a model, makes a Booster with a data set."""
    name = "lightgbm %s" % parameter
    booster = getattr(module, "Booster", None)
    if booster is None or covers(name, find_version(module)) is False:
        return Switch(name, wanted, None)

    def write(value):
        wrap(booster, "__init__", _make_init)
        booster.__init__.reprobox_switches[parameter] = switch

    def read():
        return wanted if parameter in booster.__init__.reprobox_switches else None

    switch = Switch(name, wanted, write, read, "where the program gives the model none of its own")
    return switch


def _make_init(original):
    switches = {}

    def init(self, params=None, train_set=None, *args, **kwargs):
        if train_set is not None and (params is None or isinstance(params, dict)):
            params = _fill(params or {}, switches)
        original(self, params, train_set, *args, **kwargs)

    init.reprobox_switches = switches
    return init


def _fill(params, switches):
    """Return a model's parameters with the defaults for what they do not decide; its data set's do not count here."""
    filled = dict(params)
    for parameter, switch in switches.items():
        given = [name for name in _SAME.get(parameter, (parameter,)) if params.get(name) is not None]
        if not given:
            filled[parameter] = switch.wanted
        for name in given:
            if name not in _SAME["num_threads"] or not _is_openmps(params[name]):
                switch.note_given(params[name])
    return filled


def _is_openmps(count):
    """Whether a number of threads leaves it to OpenMP: 0, and any below."""
    try:
        return int(count) <= 0
    except (TypeError, ValueError, OverflowError):
        return False


def _cores(models, count):
    """What n_jobs=None asks for since 4.0: all physical cores, whatever ``OMP_NUM_THREADS`` says.

    https://github.com/microsoft/LightGBM/blob/v4.6.0/python-package/lightgbm/sklearn.py (_process_n_jobs)
    """
    name = "lightgbm n_jobs=None"
    if not hasattr(models, "_LGBMCpuCount"):
        return Switch(name, count, None)

    def write(wanted):
        models._LGBMCpuCount = lambda only_physical_cores=True: wanted

    return Switch(name, count, write, lambda: models._LGBMCpuCount())
