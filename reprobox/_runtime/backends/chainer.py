"""Chainer: NumPy's generator on the CPU, a variable of its own on a GPU, and cuDNN's deterministic algorithms.

https://docs.chainer.org/en/v7.8.1/reference/configuration.html (cudnn_deterministic)
"""

import os
import sys

from ..switches import Switch, environment_switch

NOTE = "on the CPU it draws from random and numpy"


def find_version(module):
    """Return Chainer's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Set ``CHAINER_SEED``: cuDNN's dropout reads it when it first draws, as does CuPy before version 8.

    https://github.com/chainer/chainer/blob/v7.8.1/chainer/backends/cuda.py (get_cudnn_dropout_states_core)
    """
    os.environ["CHAINER_SEED"] = str(seed)
    return seed


def list_switches(module, switches):
    """Return the switches of Chainer 2 to 7, or what stands in for them in Chainer 1."""
    found = []
    if switches.get("deterministic_kernels"):
        if hasattr(module, "global_config"):
            found.append(_config_switch(module, "chainer.global_config.cudnn_deterministic", True))
        else:
            found.append(_deterministic_functions(module))
    if "cudnn_benchmark" in switches:
        found.append(_config_switch(module, "chainer.global_config.autotune", switches["cudnn_benchmark"]))
    return found


def _config_switch(chainer, name, wanted):
    """Set it for every thread; a program sets it for one of its own, with ``chainer.config`` and ``using_config``.

    https://github.com/chainer/chainer/blob/v7.8.1/chainer/configuration.py (LocalConfig)
    """
    attribute = name.rpartition(".")[2]
    config = getattr(chainer, "global_config", None)
    if not hasattr(config, attribute):
        return Switch(name, wanted, None)
    return Switch(
        name,
        wanted,
        lambda value: setattr(config, attribute, value),
        lambda: getattr(chainer.config, attribute),
        setters=((type(chainer.config), "__setattr__"),),
    )


def _deterministic_functions(chainer):
    """Chainer 1: from 1.18 on an argument of each function, off by default; before that only cuDNN as a whole.

    https://github.com/chainer/chainer/blob/v1.24.0/chainer/functions/connection/convolution_2d.py
    """
    functions = [function for function in _find_convolutions() if hasattr(function(), "deterministic")]
    if not functions:
        return environment_switch("CHAINER_CUDNN", "0")
    return Switch(
        "chainer.functions.convolution_2d(deterministic=)",
        True,
        lambda wanted: [_set_after_init(function, wanted) for function in functions],
        lambda: all(function().deterministic for function in functions),
        "convolution_2d and deconvolution_2d; pooling and the n-dimensional ones have no such argument",
    )


def _find_convolutions():
    places = (("convolution_2d", "Convolution2DFunction"), ("deconvolution_2d", "Deconvolution2DFunction"))
    for module, name in places:
        found = getattr(sys.modules.get("chainer.functions.connection." + module), name, None)
        if found is not None:
            yield found


def _set_after_init(function, value):
    """Let every instance that is made have ``deterministic`` set: links and functions pass their default, False, on."""
    init = function.__init__

    def init_and_set(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.deterministic = value

    function.__init__ = init_and_set
