"""What this machine is, as far as a run's bits can depend on it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from reprobox.process import run_program
from reprobox.records import Gpu, Host


def read_host() -> Host:
    """Ask the kernel and, where there is one, the NVIDIA driver."""
    model, flags = read_cpu(_read("/proc/cpuinfo"))
    return Host(
        kernel=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpu_model=model or "unknown",
        cpu_flags=flags,
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=_total_memory(),
        gpus=read_gpus(),
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


def read_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that ``nvidia-smi`` lists; none where there is no such program or no driver."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = run_program(query, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(parse_gpu(line) for line in done.stdout.splitlines() if line.count(",") == 2) if done.code == 0 else ()


def parse_gpu(line: str) -> Gpu:
    """Read one line of ``nvidia-smi``'s CSV; its memory is in MiB."""
    name, driver, memory = (part.strip() for part in line.split(","))
    return Gpu(name, driver, int(memory) * 2**20 if memory.isdigit() else 0)


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
