"""The system calls that a stranger's program may make, where the engine's own list allows too many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PODMANS = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))
"""Where its list is; the first that is there counts: containers.conf(5), ``seccomp_profile``."""
_CLOSED = frozenset(
    {
        *("unshare", "setns", "pivot_root", "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree"),
        *("fsopen", "fsconfig", "fsmount", "fspick", "add_key", "keyctl", "request_key"),
    }
)
"""What makes namespaces, in which a program has every capability, and what is the whole machine's: Docker allows none.
https://docs.docker.com/engine/security/seccomp/
"""
_NAMESPACES = 0x7E020000
"""The flags of clone(2) that make namespaces."""
_ENOSYS = 38
_RULES = (
    {"names": sorted(_CLOSED), "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    # Its flags are behind a pointer, where no filter looks: programs take clone instead.
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
    {
        "names": ["clone"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
    },
)


def read_profile() -> Mapping[str, Any] | None:
    """Return Podman's list without what opens namespaces; ``None`` where it cannot be had."""
    for path in _PODMANS:
        if path.exists():
            try:
                return close_namespaces(json.loads(path.read_bytes()))
            except (OSError, ValueError, TypeError, LookupError):
                return None
    return None


def close_namespaces(profile: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a profile that allows what this one does, but no namespaces, mounts and keyrings."""
    ruled = _CLOSED | {"clone", "clone3"}
    rules = [{**rule, "names": [name for name in rule["names"] if name not in ruled]} for rule in profile["syscalls"]]
    return {**profile, "syscalls": [*(rule for rule in rules if rule["names"]), *_RULES]}
