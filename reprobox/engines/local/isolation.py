"""Which namespaces this machine lets its user have: tried once, with a program that does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from reprobox.files import open_scratch

_ENTER = Path(__file__).with_name("enter.py")
_ALL = ("mount", "pid", "net", "ipc", "uts")
_CHOICES = (_ALL, ("mount", "net", "ipc", "uts"), ("mount", "pid", "ipc", "uts"), ("mount",))
"""The best first."""
_TIMEOUT = 20


def choose_namespaces(*, network: bool) -> tuple[str, ...]:
    """Return the best that can be had, or nothing; with ``network`` the machine's own network stays."""
    for choice in _list_choices():
        if _works(choice):
            return tuple(name for name in choice if name != "net" or not network)
    return ()


def _list_choices() -> list[tuple[str, ...]]:
    """Root may do without a user namespace, where it is not fenced in itself."""
    own = [("user", *choice) for choice in _CHOICES]
    return [*_CHOICES, *own] if os.geteuid() == 0 else own


@cache
def _works(namespaces: tuple[str, ...]) -> bool:
    with open_scratch("reprobox-try-") as folder:
        config = {
            "namespaces": namespaces,
            "root": str(folder),
            "mounts": [[str(folder), "/reprobox-try", True]],
            "workdir": "/",
            "failure": os.devnull,
        }
        argv = [sys.executable, "-I", str(_ENTER), json.dumps(config), "/bin/sh", "-c", "test -d /reprobox-try"]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0
