"""How long a GPU's clocks were held down, as its driver counts it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from reprobox.process import run_program

_COUNTERS = {
    "sw_power_cap": "power cap",
    "sync_boost": "sync boost",
    "sw_thermal_slowdown": "heat",
    "hw_thermal_slowdown": "heat (hardware)",
    "hw_power_brake_slowdown": "power brake",
}
"""Microseconds since the driver was loaded, since 555; ``nvidia-smi --help-query-gpu`` lists them."""
_TIMEOUT = 20

Slowdowns = Mapping[int, Mapping[str, int]]
"""GPU's number -> reason -> microseconds so far."""


def read_slowdowns() -> Slowdowns:
    """Ask ``nvidia-smi``; nothing where it cannot say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    fields = ",".join(f"clocks_event_reasons_counters.{name}" for name in _COUNTERS)
    try:
        done = run_program([program, f"--query-gpu=index,{fields}", "--format=csv,noheader,nounits"], timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_slowdowns(done.stdout) if done.code == 0 else {}


def parse_slowdowns(text: str) -> Slowdowns:
    """Read the lines that ``nvidia-smi`` prints: the GPU's number, then one count for each reason."""
    found: dict[int, dict[str, int]] = {}
    for line in text.splitlines():
        index, *counts = (part.strip() for part in line.split(","))
        if index.isdigit() and len(counts) == len(_COUNTERS):
            pairs = zip(_COUNTERS.values(), counts, strict=True)
            found[int(index)] = {reason: int(count) for reason, count in pairs if count.isdigit()}
    return found


def list_slowdowns(before: Slowdowns, after: Slowdowns, gpu: int) -> tuple[str, ...]:
    """Say for how many seconds a GPU was held down between two readings, reason by reason."""
    earlier = before.get(gpu, {})
    spent = {reason: count - earlier[reason] for reason, count in after.get(gpu, {}).items() if reason in earlier}
    return tuple(f"{reason} for {spent[reason] / 1e6:.1f} s" for reason in spent if spent[reason] >= 50_000)
