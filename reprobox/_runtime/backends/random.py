"""Python's ``random``: the hidden generator behind the module's functions.

https://docs.python.org/3/library/random.html#random.seed
"""

import os
import sys


def find_version(module):
    """Return Python's version."""
    return sys.version.split()[0]


def seed(module, seed, event):
    """Seed the global generator; a user's own ``random.py`` is left alone."""
    if os.path.dirname(getattr(module, "__file__", None) or "") != os.path.dirname(os.__file__):
        return None
    module.seed(seed)
    return seed


def list_switches(module, switches):
    """Return none: there are no switches."""
    return []
