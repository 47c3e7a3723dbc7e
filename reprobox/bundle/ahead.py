"""Read ahead of whoever looks at what is read: unpacking and hashing keep a processor busy each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator

_DEPTH = 4
"""Chunks that wait."""
_TICK = 0.05
"""Seconds in which the thread notices that nobody waits for it any more."""


def read_ahead(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield what ``chunks`` yields, and raise what it raises; it runs in a thread that ends with this generator."""
    waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(_DEPTH)
    stopped = threading.Event()

    def hand_over(item: bytes | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_TICK)
            except queue.Full:
                continue
            return

    def fill() -> None:
        try:
            for chunk in chunks:
                hand_over(chunk)
                if stopped.is_set():
                    return
        except BaseException as exc:
            hand_over(exc)
        else:
            hand_over(None)

    thread = threading.Thread(target=fill, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
