"""What a stranger's program is allowed: the contest's limits, filled in for this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reprobox.engines.base import EngineInfo, Fence, Quota
from reprobox.errors import EngineError
from reprobox.judging.terms import MEBIBYTE, Contest
from reprobox.spec.model import Resources

_RECORD_FOLDER = 512 * MEBIBYTE
"""Bytes that the runtime's own notes, and traces, may take."""
_RECORD_FILES = 20_000
GVISOR = "runsc"
SCRATCH = ("/tmp", "/var/tmp", "/home/reprobox")


def make_fence(
    contest: Contest, resources: Resources, memory: int, runtime: str, profile: Path | None = None
) -> Callable[[Path], Fence]:
    """Return what makes the fence of a run in a folder; ``memory`` is the entry's share of the machine's, in bytes.

    What the entry asks for itself counts where it is less.
    """
    limits = contest.limits
    most = limits.memory or memory * 3 // 4
    if resources.memory:
        most = min(most, resources.memory)
    shm = min(limits.shm or most // 2, resources.shm or most)

    def fence(folder: Path) -> Fence:
        return Fence(
            memory=most,
            shm=shm,
            scratch=limits.scratch,
            scratch_folders=SCRATCH,
            read_only=contest.read_only,
            processes=limits.processes,
            cpus=",".join(map(str, sorted(os.sched_getaffinity(0)))),
            open_files=limits.open_files,
            file_size=limits.output,
            quotas=(
                Quota(folder / "output", "/output", limits.output, limits.output_files),
                Quota(folder / "record", "its record folder", _RECORD_FOLDER, _RECORD_FILES),
            ),
            runtime=runtime,
            profile=profile,
        )

    return fence


def choose_runtime(name: str, info: EngineInfo, gpus: tuple[str, ...]) -> str:
    """Return the runtime that is asked for, else gVisor's where the engine has it, else "", the engine's own.

    Raises ``EngineError`` for one that the engine does not have, or has and would not take.
    """
    if not name:
        # GPUs need an option that it may not have been given: https://gvisor.dev/docs/user_guide/gpu/
        return GVISOR if GVISOR in info.runtimes and info.name != "podman" and not gpus else ""
    if name == info.default_runtime:
        return name
    if info.name == "podman":  # its API takes a runtime's name and does nothing about it
        raise EngineError(
            f"--runtime {name}: Podman runs every container with {info.default_runtime}, whatever it is asked for",
            hint=f'write runtime = "{name}" below [engine] in its containers.conf, restart it, and leave --runtime out',
        )
    # Docker also takes containerd's own names, and paths, without having them among its settings.
    if name not in info.runtimes and not name.startswith(("io.containerd.", "/")):
        known = ", ".join(sorted(info.runtimes)) or "none"
        raise EngineError(
            f"--runtime {name}: the container engine has no such runtime; it has: {known}",
            hint="name one of these, or add it to `runtimes` in the engine's daemon.json and restart the engine",
        )
    return name


def choose_cpus(resources: Resources, info: EngineInfo) -> float | None:
    """Return how many processors' time a run has: what the entry asks for, where the machine has as many."""
    return None if resources.cpus is None else min(resources.cpus, float(info.cpus))


def choose_timeout(contest: Contest, resources: Resources) -> float:
    """Return the seconds that a stage may take: the contest's, or the entry's own where those are fewer."""
    return min(contest.limits.time, resources.timeout or contest.limits.time)
