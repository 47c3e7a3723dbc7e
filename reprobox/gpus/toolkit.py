"""The NVIDIA Container Toolkit: its version, and what is known to be wrong with it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from packaging.version import Version

from reprobox.engines.base import GpuAccess
from reprobox.process import run_program
from reprobox.tables import load_table

_PROGRAMS = ("nvidia-ctk", "nvidia-container-cli")
_TIMEOUT = 20


@dataclass(frozen=True)
class Weakness:
    """One published weakness that a version of the toolkit has."""

    cve: str
    what: str
    fixed: str
    """The first version without it."""


def read_toolkit_version() -> str:
    """Return the version of the toolkit here, "1.17.8"; empty where there is none."""
    for program in _PROGRAMS:
        try:
            done = run_program([program, "--version"], timeout=_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.code == 0 and (found := re.search(r"version:? v?(\d+\.\d+\.\d+)", done.stdout)):
            return found[1]
    return ""


def list_weaknesses(version: str, access: GpuAccess) -> tuple[Weakness, ...]:
    """Return what is known to be wrong with a version, the way that the engine uses it."""
    return tuple(
        Weakness(row["cve"], row["what"], row["fixed"])
        for row in load_table("nvidia_toolkit")["weaknesses"]
        if Version(version) < Version(row["fixed"]) and (row.get("cdi", True) or access is not GpuAccess.CDI)
    )
