"""Watch how much a run writes into a folder of this machine, and end it when that is too much."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from reprobox.engines.base import Quota
from reprobox.engines.ending import Ending

_POLL = 0.25
"""Seconds between two looks; a look that takes longer than a tenth of that waits ten times as long as it took."""


@contextmanager
def watched_quotas(ending: Ending, quotas: tuple[Quota, ...]) -> Iterator[None]:
    """End the run at once when it has gone over one of the quotas: a mounted folder has no limit of its own."""
    if not quotas:
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(ending, quotas, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        if not ending.stopped_for:  # what it wrote in its last moment
            ending.stopped_for = next(filter(None, map(find_excess, quotas)), "")


def _watch(ending: Ending, quotas: tuple[Quota, ...], done: threading.Event) -> None:
    pause = _POLL
    while not done.wait(pause):
        began = time.monotonic()
        for quota in quotas:
            if reason := find_excess(quota):
                ending.by_force(reason)
                return
        pause = max(_POLL, 10 * (time.monotonic() - began))


def find_excess(quota: Quota) -> str:
    """Say in which way the folder holds too much; empty while it does not. Links are not followed."""
    size = files = 0
    waiting: list[str] = [os.fspath(quota.folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    size += _size_of(entry)
                    if files > quota.files:
                        return f"it wrote more than {quota.files} files to {quota.what}"
                    if size > quota.size:
                        return f"it wrote more than {quota.size} bytes to {quota.what}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # removed meanwhile, or closed to us: it is counted by its parent
    return ""


def _size_of(entry: os.DirEntry[str]) -> int:
    """Return what it takes of the disk, or claims to hold: a sparse file is as large as it will be read."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    return max(status.st_size, status.st_blocks * 512)
