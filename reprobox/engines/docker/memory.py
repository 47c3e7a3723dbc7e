"""The most memory a running container used, from the engine's own samples."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import docker

from reprobox.engines.docker.calls import fetch_stream


class MemoryWatch:
    """Follows one container's statistics in the background; a run shorter than the first sample has no peak."""

    def __init__(self, client: docker.APIClient, container: str) -> None:
        self._client = client
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
        stream = fetch_stream(self._client, "/containers/{0}/stats", self._container)
        with suppress(Exception), closing(stream) as chunks:
            for sample in _split_lines(chunks):
                if self._done.is_set():
                    return
                self.peak = max(self.peak or 0, peak_of(json.loads(sample)) or 0) or None


def _split_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def peak_of(sample: dict[str, Any]) -> int | None:
    """Return the most memory used so far: the kernel's own record (cgroup v1), else what is used now without cache."""
    memory = sample.get("memory_stats") or {}
    if memory.get("max_usage"):
        return int(memory["max_usage"])
    if not memory.get("usage"):
        return None
    stats = memory.get("stats") or {}
    return max(0, int(memory["usage"]) - int(stats.get("inactive_file") or 0))
