"""Files that wait on disk for their layer: however many there are, memory holds one at a time."""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import NamedTuple, Self

from reprobox.errors import BuildError
from reprobox.layers.store import LayerStore, explain_disk_errors

_BUFFER = 1 << 20


class Waiting(NamedTuple):
    """Where a file's bytes are in the spool."""

    start: int
    size: int


class Spool(AbstractContextManager["Spool"]):
    """An unnamed file on the store's disk, gone at the block's end; what is added is known by the place it got."""

    def __init__(self, store: LayerStore, what: str) -> None:
        """``what`` is the layer that errors name."""
        self._what = what
        self._size = 0
        with explain_disk_errors(what, store.root):
            self._folder = store.scratch
            self._stream = tempfile.TemporaryFile(dir=self._folder, buffering=_BUFFER)  # noqa: SIM115 # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # it writes what is left: nobody wants that, and on a full disk it cannot
            self._stream.close()

    def add(self, data: bytes) -> Waiting:
        """Keep ``data``; raises ``BuildError`` when the disk is full."""
        with explain_disk_errors(self._what, self._folder):
            self._stream.write(data)
        place = Waiting(self._size, len(data))
        self._size += len(data)
        return place

    def read(self, place: Waiting) -> bytes:
        """Return what was added there."""
        with explain_disk_errors(self._what, self._folder):
            self._stream.flush()
            data = os.pread(self._stream.fileno(), place.size, place.start)
        if len(data) != place.size:
            raise BuildError(f"a temporary file of the layer {self._what!r} was cut short", hint="build again")
        return data
