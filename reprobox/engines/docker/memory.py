"""The most memory a running container used, from the engine's own samples."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

import docker


class MemoryWatch:
    """Follows one container's statistics in the background; a run shorter than the first sample has no peak."""

    def __init__(self, client: docker.APIClient, container: str) -> None:
        self._client: Any = client
        self._container = container
        self._done = threading.Event()
        self.peak: int | None = None

    def __enter__(self) -> MemoryWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def start(self) -> None:
        """Begin to watch; the container must have been started."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        # What goes wrong here (the container ends, the engine has no such statistics) costs a number, not the run.
        with suppress(Exception):
            for sample in self._client.stats(self._container, stream=True, decode=False):
                if self._done.is_set():
                    return
                used = peak_of(json.loads(sample))
                if used is not None:
                    self.peak = max(self.peak or 0, used)


def peak_of(sample: dict[str, Any]) -> int | None:
    """Return the most memory used so far: the kernel's own record (cgroup v1), else what is used now without cache."""
    memory = sample.get("memory_stats") or {}
    if memory.get("max_usage"):
        return int(memory["max_usage"])
    if not memory.get("usage"):
        return None
    stats = memory.get("stats") or {}
    return max(0, int(memory["usage"]) - int(stats.get("inactive_file") or 0))
