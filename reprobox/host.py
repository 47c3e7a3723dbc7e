"""What this machine is, as far as a run's bits can depend on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from reprobox.records import Gpu, Host


def read_host(gpus: Sequence[Gpu]) -> Host:
    """Ask the kernel; ``gpus`` are what the driver says there are."""
    model, flags = read_cpu(_read("/proc/cpuinfo"))
    return Host(
        kernel=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpu_model=model or "unknown",
        cpu_flags=flags,
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=_total_memory(),
        gpus=tuple(gpus),
    )


def read_cpu(cpuinfo: str) -> tuple[str, tuple[str, ...]]:
    """Return the first processor's model and its sorted feature flags from the text of ``/proc/cpuinfo``."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags") or fields.get("Features", "")
    return fields.get("model name", ""), tuple(sorted(flags.split()))


def _total_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", errors="replace")
    except OSError:
        return ""
