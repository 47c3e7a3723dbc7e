"""What this machine is, as far as a run's bits can depend on it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from reprobox.records import Gpu, Host, Storage

_VIRTUAL = ("vd", "xvd")
"""Of disks that another machine lends: they say that they turn, whatever they stand on."""


def read_host(gpus: Sequence[Gpu], kept: Path) -> Host:
    """Ask the kernel; ``gpus`` are what the driver says there are, ``kept`` is where runs are kept."""
    cpuinfo = _read("/proc/cpuinfo")
    model, flags = read_cpu(cpuinfo)
    return Host(
        kernel=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpu_model=model or "unknown",
        cpu_flags=flags,
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=_total_memory(),
        gpus=tuple(gpus),
        processors=count_processors(cpuinfo),
        system=_read("/sys/class/dmi/id/product_name").strip(),
        storage=read_storage(kept),
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


def count_processors(cpuinfo: str) -> int:
    """Return how many processor packages the text of ``/proc/cpuinfo`` names; 0 where it names none."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return len({value.strip() for key, _, value in lines if key.strip() == "physical id"})


def read_storage(path: Path, system: Path = Path("/")) -> Storage | None:
    """Return the disk that a file or folder is on, or would be; ``None`` where it cannot be asked."""
    path = path.absolute()
    try:
        place = next(one for one in (path, *path.parents) if one.exists())
        device, capacity = place.stat().st_dev, shutil.disk_usage(place).total
    except OSError:
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = _read(str(system / "proc/self/mountinfo"))
    return Storage(_name_kind(system / "sys/dev/block" / number), find_file_system(mounts, number), capacity)


def find_file_system(mountinfo: str, number: str) -> str:
    """Return the kind of file system that a device holds, by ``/proc/self/mountinfo``; empty where it is not there."""
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2:3] == [number]:
            return source.partition(" ")[0]
    return ""


def _name_kind(device: Path) -> str:
    """Return the kind of disk that a block device of the kernel's, a whole one or a part, belongs to."""
    real = device.resolve()
    disk = next((one for one in (real, real.parent) if (one / "queue/rotational").exists()), None)
    if disk is None:
        return ""
    if disk.name.startswith(_VIRTUAL):
        return "virtual disk"
    if disk.name.startswith("nvme"):
        return "NVMe SSD"
    return "hard disk" if _read(str(disk / "queue/rotational")).strip() == "1" else "SSD"


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
