"""Have the engine take an image's lower layers while the upper ones are still being made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self

from reprobox.errors import Interrupted, ReproboxError
from reprobox.layers.model import Layer
from reprobox.steps.runner import StepRunner

_WORTH_IT = 64_000_000
"""Bytes from which a load of its own is no detour: each costs a tenth of a second."""
_PATIENCE = 5.0
"""Seconds for a load to notice that it is not wanted any more."""
Show = Callable[[str, int, int], None]
"""Gets a layer's name, the bytes sent, and of how many."""


class LoadAhead(AbstractContextManager["LoadAhead"]):
    """Loads in a thread; what goes wrong there is left to the load of the whole image, which comes upon it again."""

    def __init__(self, steps: StepRunner, lower: Sequence[Layer], count: int, show: Show) -> None:
        """``count`` layers are to come, on top of ``lower``, which the engine holds."""
        self._steps = steps
        self._lower = tuple(lower)
        self._made: dict[int, Layer | None] = {}
        self._count = count
        self._loaded = 0
        self._show = show
        self._closed = self._failed = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="load-ahead", daemon=True)

    def add(self, index: int, layer: Layer | None) -> None:
        """Say that layer ``index`` of those to come is there, or is not needed; from any thread, in any order."""
        with self._news:
            self._made[index] = layer
            self._news.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._news:
            self._closed, self._failed = True, error is not None
            self._news.notify()
        self._thread.join(_PATIENCE if self._failed else None)

    def _run(self) -> None:
        with suppress(ReproboxError):
            while (layers := self._wait_for_more()) is not None:
                self._steps.load((*self._lower, *layers), lambda sent, total: self._report(layers[-1], sent, total))
                self._loaded = len(layers)

    def _wait_for_more(self) -> tuple[Layer, ...] | None:
        """Return all layers from the lowest up to the first that is missing, once that is worth it; None at the end."""
        with self._news:
            while not self._closed:
                ready = self._list_ready()
                if sum(layer.size for layer in ready[self._loaded :]) >= _WORTH_IT:
                    return ready
                self._news.wait()
        return None

    def _list_ready(self) -> tuple[Layer, ...]:
        ready: list[Layer] = []
        for index in range(self._count):
            if index not in self._made:
                break
            if (layer := self._made[index]) is not None:
                ready.append(layer)
        return tuple(ready)

    def _report(self, layer: Layer, sent: int, total: int) -> None:
        if self._failed:
            raise Interrupted("stopped")
        self._show(layer.what, sent, total)
