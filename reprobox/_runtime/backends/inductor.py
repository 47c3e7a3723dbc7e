"""Inductor, the compiler behind ``torch.compile``: the flag that ``use_deterministic_algorithms`` would set in it.

https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_inductor/config.py (deterministic)
"""

import sys

from ..switches import attribute_switch


def find_version(module):
    """Return PyTorch's version; ``module`` is ``torch._inductor.config``."""
    return str(getattr(sys.modules.get("torch"), "__version__", ""))


def seed(module, seed, event):
    """Seed nothing: compiled code draws from PyTorch's generators."""
    return None


def list_switches(module, switches):
    """Return the flag that keeps Inductor from choosing kernels by timing them."""
    if not switches.get("deterministic_kernels"):
        return []
    setters = [(sys.modules.get("torch"), "use_deterministic_algorithms")]
    name = "torch._inductor.config.deterministic"
    return [attribute_switch(name, module, "deterministic", True, setters=setters)]
