"""What NVIDIA's driver says of this machine's GPUs, or why it says nothing."""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reprobox.process import run_program
from reprobox.records import Gpu

_KNOWN = ("name", "driver_version", "memory.total", "uuid")
"""Fields that every version of nvidia-smi has; one that it does not know makes it refuse all."""
_NEWER = ("compute_cap", "mig.mode.current")
"""Since 510 or so; https://docs.nvidia.com/deploy/nvidia-smi/index.html"""
_THROTTLE = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""A bit mask, since 535 under the first name."""
_SLOWED = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
}
"""Bits that mean that it runs slower than it could; https://docs.nvidia.com/deploy/nvml-api/, ClocksEventReasons."""
_WSL_PROGRAM = "usr/lib/wsl/lib/nvidia-smi"
_TIMEOUT = 20


@dataclass(frozen=True)
class Driver:
    """The driver and its GPUs; where there is something wrong, what and what to do."""

    gpus: tuple[Gpu, ...]
    version: str = ""
    """"580.95.05"; empty: there is none that answers."""
    trouble: str = ""
    hint: str = ""
    present: bool = True
    """Whether there is any sign of a GPU here at all."""


def read_driver(root: Path = Path("/")) -> Driver:
    """Ask ``nvidia-smi``; ``root`` is where ``/proc``, ``/sys`` and ``/usr`` are."""
    program = shutil.which("nvidia-smi") or _find_wsl_program(root)
    if program is None:
        return _explain_absence(root)
    try:
        return _ask(program)
    except subprocess.TimeoutExpired:
        return Driver((), trouble="nvidia-smi does not answer: a GPU hangs", hint="restart the machine")
    except OSError as exc:
        return Driver((), trouble=f"nvidia-smi cannot be run: {exc.strerror or exc}", hint="install the driver again")


def _find_wsl_program(root: Path) -> str | None:
    path = root / _WSL_PROGRAM
    return str(path) if path.is_file() else None


def _ask(program: str) -> Driver:
    for throttle in _THROTTLE:
        done = _query(program, (*_KNOWN, *_NEWER, throttle))
        if done is not None:
            return _describe(done)
    done = _query(program, _KNOWN)
    if done is not None:
        return _describe(done)
    told = run_program([program], timeout=_TIMEOUT)
    return _explain_failure(told.stdout + told.stderr)


def _query(program: str, fields: tuple[str, ...]) -> str | None:
    argv = [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    done = run_program(argv, timeout=_TIMEOUT)
    return done.stdout if done.code == 0 else None


def _describe(text: str) -> Driver:
    gpus = parse_gpus(text)
    if not gpus:
        hint = "look for it in `lspci` and in `dmesg`, where the driver says what it lacks"
        return Driver((), trouble="NVIDIA's driver is here and finds no GPU", hint=hint)
    return Driver(gpus, gpus[0].driver)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Read ``nvidia-smi``'s CSV.

    Name, driver, memory in MiB, UUID; then, where it knows them, compute capability, MIG and throttling.
    """
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return tuple(_parse_row(index, row) for index, row in enumerate(row for row in rows if len(row) in (4, 7)))


def _parse_row(index: int, row: list[str]) -> Gpu:
    name, driver, memory, uuid, capability, mig, throttle = (part.strip() for part in (*row, "", "", "")[:7])
    return Gpu(
        name=name,
        driver=driver,
        memory=int(memory) * 2**20 if memory.isdigit() else 0,
        index=index,
        uuid_sha256=hashlib.sha256(uuid.encode()).hexdigest() if uuid.startswith(("GPU-", "MIG-")) else "",
        compute_capability=capability if re.fullmatch(r"\d+\.\d+", capability) else "",
        mig={"Enabled": True, "Disabled": False}.get(mig),
        slowed=tuple(_read_reasons(throttle)),
    )


def _read_reasons(mask: str) -> Iterator[str]:
    with suppress(ValueError):
        bits = int(mask, 16)
        yield from (reason for bit, reason in _SLOWED.items() if bits & bit)


def _explain_failure(told: str) -> Driver:
    """Say what is the matter in other words than the program's, where it is known."""
    line = next((line.strip() for line in told.splitlines() if line.strip()), "it says nothing")[:200]
    if "version mismatch" in told:
        trouble = "the NVIDIA driver's kernel module and its library are of two versions, as after an update"
        return Driver((), trouble=trouble, hint="restart the machine, or unload and load the module")
    if "communicate with the NVIDIA driver" in told:
        hint = "load it (`modprobe nvidia`); where Secure Boot is on it must be signed; `dmesg` says more"
        return Driver((), trouble="NVIDIA's programs are here, but its kernel module is not loaded", hint=hint)
    if "No devices were found" in told:
        return _describe("")
    return Driver((), trouble=f"nvidia-smi failed: {line}", hint="put that right first: containers get no more than it")


def _explain_absence(root: Path) -> Driver:
    if (root / "proc/driver/nvidia/version").is_file():
        trouble = "the NVIDIA driver is loaded, but nvidia-smi is not here"
        return Driver((), trouble=trouble, hint="install the driver's own programs, in the same version")
    if any(_list_cards(root)):
        hint = "install the driver from your system's packages and restart"
        return Driver((), trouble="there is an NVIDIA GPU in this machine, and no driver for it", hint=hint)
    if "microsoft" in _read(root / "proc/version").lower():
        hint = "install NVIDIA's driver on Windows, none in here; then `wsl --shutdown` and start again"
        return Driver((), trouble="no NVIDIA driver of Windows reaches this WSL", hint=hint, present=False)
    hint = "run without --gpu, or on a machine that has one"
    return Driver((), trouble="there is no NVIDIA GPU in this machine", hint=hint, present=False)


def _list_cards(root: Path) -> Iterator[Path]:
    """Yield the PCI devices that are NVIDIA's and show something: its sound and bridge chips do not."""
    for folder in sorted((root / "sys/bus/pci/devices").glob("*")):
        if _read(folder / "vendor").strip() == "0x10de" and _read(folder / "class").startswith("0x03"):
            yield folder


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
