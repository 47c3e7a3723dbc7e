"""Know whose a container or a temporary image is, so that those of a killed process are removed by the next one."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from contextlib import suppress
from pathlib import Path

OWNER_LABEL = "io.reprobox.owner"
TEMPORARY_REPOSITORIES = ("reprobox/step", "reprobox-loading")
"""What images are called while a build needs them; the tag says whose each is."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def name_owner() -> str:
    """Name this process so that no other process, here or elsewhere, is ever named the same."""
    return "/".join((*_machine(), str(os.getpid()), _started(os.getpid())))


def name_temporary(repository: str) -> str:
    """Return a new name in one of ``TEMPORARY_REPOSITORIES`` that says which process it belongs to."""
    machine = (_shorten(part) for part in _machine())
    return f"{repository}:{'-'.join((*machine, str(os.getpid()), _started(os.getpid()), secrets.token_hex(6)))}"


def is_gone(owner: str) -> bool:
    """Tell whether the process that ``name_owner`` named has surely ended; of another machine's nothing is sure."""
    return _has_ended(owner.split("/"), _machine())


def is_temporary_gone(name: str) -> bool:
    """Tell whether the process that a name from ``name_temporary`` belongs to has surely ended."""
    parts = name.rpartition(":")[2].split("-")
    host, boot, namespace = (_shorten(part) for part in _machine())
    return len(parts) == 6 and _has_ended(parts, (host, boot, namespace))


def _has_ended(owner: list[str], here: tuple[str, str, str]) -> bool:
    host, boot, namespace, pid, started = (*owner, "", "", "", "", "")[:5]
    if host != here[0] or not pid.isdigit():
        return False
    if boot != here[1]:
        return True
    if namespace != here[2]:
        return False
    return _started(int(pid)) != started


def _shorten(part: str) -> str:
    return hashlib.sha256(part.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _machine() -> tuple[str, str, str]:
    """Return host name, boot and process namespace: the three that make a process number mean something."""
    boot = namespace = "-"
    with suppress(OSError):
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid").removeprefix("pid:").strip("[]")  # noqa: PTH115
    return platform.node() or "-", boot, namespace


def _started(pid: int) -> str:
    """Return when ``pid`` started, in the kernel's own unit; "" when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _alive_without_proc(pid)
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]


def _alive_without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
