"""The hash seed of str and bytes: fixed before the interpreter starts, so it is only checked.

https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED
"""

import os
import sys

from ..switches import Switch


def find_version(module):
    """Return Python's version: the same seed gives other hashes from 3.11 on (SipHash-1-3)."""
    return sys.version.split()[0]


def seed(module, seed, event):
    """Return the hash seed in force; None when hashes are random."""
    return _read_seed()[0]


def list_switches(module, switches):
    """Return the check that the hash seed is the wanted one."""
    if "hash_seed" not in switches:
        return []
    return [Switch("PYTHONHASHSEED", switches["hash_seed"], _check)]


def _check(wanted):
    found, reason = _read_seed()
    if found != wanted:
        raise ValueError(reason or "PYTHONHASHSEED is %d" % found)


def _read_seed():
    """Return (seed or None, why it is None)."""
    if not sys.flags.hash_randomization:
        return 0, ""
    if sys.flags.ignore_environment:
        return None, "hashes are random: PYTHONHASHSEED is ignored by python -I and -E"
    text = os.environ.get("PYTHONHASHSEED", "")
    if text in ("", "random"):
        return None, "hashes are random: PYTHONHASHSEED is %s" % ("not set" if not text else repr(text))
    if int(text) == 0:
        return None, "hashes are random: python -R overrules PYTHONHASHSEED=0"
    return int(text), ""
