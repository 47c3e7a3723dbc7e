"""Hold a build step to so many bytes of the engine's disk, by what the engine says that its container wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import docker

from reprobox.engines.docker.errors import translate_errors
from reprobox.engines.ending import watched
from reprobox.errors import BuildError, EngineError
from reprobox.sizes import format_size

_POLL = 0.5
"""Seconds between two looks; the engine walks through what was written, so that after a long one the next waits."""


class WriteLimit:
    """What one step wrote, and whether it was too much."""

    def __init__(
        self, client: docker.APIClient, container: str, what: str, most: int | None, end: Callable[[], None]
    ) -> None:
        self._client: Any = client
        self._container = container
        self._what = what
        self._most = most
        self._end = end
        self._exceeded = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """End the step as soon as it has written more; the error comes from ``check``."""
        if self._most is None:
            yield
            return
        with watched(self._watch):
            yield

    def check(self) -> None:
        """Raise where the step, which has ended, wrote more than it may."""
        if self._most is not None and (self._exceeded or self._measure()[0] > self._most):
            raise self._make_error()

    def meter(self, chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        """Pass on what is read out of the container, but no more than it can hold: files may be all holes."""
        if self._most is None:
            yield from chunks
            return
        left = self._measure()[1] + self._most
        with closing(chunks):
            for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    raise self._make_error()
                yield chunk

    def _make_error(self) -> BuildError:
        return BuildError(f"{self._what} wrote more than its limit of {format_size(self._most or 0)}")

    def _watch(self, done: threading.Event) -> None:
        pause = _POLL
        with suppress(EngineError):  # the container has ended meanwhile; or the step meets the same error
            while not done.wait(pause):
                began = time.monotonic()
                if self._measure()[0] > (self._most or 0):
                    self._exceeded = True
                    self._end()
                    return
                pause = max(_POLL, 10 * (time.monotonic() - began))

    def _measure(self) -> tuple[int, int]:
        """Return how many bytes it wrote, and how many its file system has in all."""
        with translate_errors("looking at the step's files"):
            answer = self._client._get(self._client._url("/containers/{0}/json", self._container), params={"size": 1})
            found = self._client._result(answer, True)
        return int(found.get("SizeRw") or 0), int(found.get("SizeRootFs") or 0)
