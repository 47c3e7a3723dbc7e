"""Limits of our own for an engine that has none: how many processes a program may be, and how much memory."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from reprobox.engines.base import EngineInfo, Fence
from reprobox.engines.ending import Ending, watched

_POLL = 0.1
"""Seconds between two looks: a program that only takes memory gets some hundred megabytes in that time."""
_PAGE = resource.getpagesize()
_PROC = Path("/proc")
_MANY = 32_768
"""Of a user's processes, on any machine."""


def choose_user_limit(fence: Fence, info: EngineInfo) -> int | None:
    """Return how many processes the program's user may have on the whole machine; ``None``: the engine's own default.

    Linux counts those outside of the container too, so that it means little, unless there is no better limit.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    most = _MANY if most == resource.RLIM_INFINITY else min(most, _MANY)
    if not info.holds_limits:
        return min(most, fence.processes + _count_tasks())
    # Podman asks for more than it may have without CAP_SYS_RESOURCE, and leaves its settings out where a call has any.
    return most if info.name == "podman" else None


def _count_tasks() -> int:
    """Return how many tasks the machine has now."""
    return int((_PROC / "loadavg").read_text().split()[3].partition("/")[2])


@contextmanager
def watched_memory(ending: Ending, process: int, limit: int | None) -> Iterator[None]:
    """End the run when its first process and all below it hold more than ``limit`` bytes; ``None``: do not look."""
    if limit is None or not process:
        yield
        return
    with watched(partial(_watch, ending, process, limit)):
        yield


def _watch(ending: Ending, process: int, limit: int, done: threading.Event) -> None:
    while not done.wait(_POLL):
        family = find_family(process)
        # What they share counts for each of them in the first number, which is quick, and once in the second.
        if sum(map(_read_resident, family)) > limit and sum(map(_read_share, family)) > limit:
            ending.by_memory()
            return


def find_family(process: int) -> tuple[int, ...]:
    """Return a process and all that come from it: what loses its parent inside becomes the first process's own."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                # Its name is in parentheses, and may hold some.
                parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found = [process]
    for one in found:
        found += children.get(one, [])
    return tuple(found)


def _read_resident(process: int) -> int:
    with suppress(OSError, IndexError):
        return int((_PROC / str(process) / "statm").read_bytes().split()[1]) * _PAGE
    return 0


def _read_share(process: int) -> int:
    """Return the bytes it holds, of what several share its part; all of it where this may not be known."""
    with suppress(OSError, IndexError):
        lines = (_PROC / str(process) / "smaps_rollup").read_bytes().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)
    return _read_resident(process)
