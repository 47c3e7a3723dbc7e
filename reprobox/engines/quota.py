"""Watch how much a run writes into a folder of this machine, and end it when that is too much."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from reprobox.engines.base import Quota
from reprobox.engines.ending import Ending, watched

_POLL = 0.25
"""Seconds between two looks; after one that takes longer than a tenth of that the next waits ten times as long."""
_WAS_LEFT = " bytes were left on the disk of "
LEAST_FREE = 512 * 2**20
"""Bytes that stay free on the folder's disk: files that were removed and are still open are in no folder."""


@contextmanager
def watched_quotas(ending: Ending, quotas: tuple[Quota, ...]) -> Iterator[None]:
    """End the run at once when it has gone over one of the quotas: a mounted folder has no limit of its own."""
    if not quotas:
        yield
        return
    try:
        with watched(partial(_watch, ending, quotas)):
            yield
    finally:
        if not ending.stopped_for:  # what it wrote in its last moment
            ending.stopped_for = next(filter(None, map(find_excess, quotas)), "")


def _watch(ending: Ending, quotas: tuple[Quota, ...], done: threading.Event) -> None:
    following = 0.0
    while not done.wait(_POLL):
        began = time.monotonic()
        reasons = (find_full_disk(quota) or (find_excess(quota) if began >= following else "") for quota in quotas)
        if reason := next(filter(None, reasons), ""):
            ending.by_force(reason)
            return
        following = max(following, began + 10 * (time.monotonic() - began))


def find_full_disk(quota: Quota) -> str:
    """Say that next to nothing is left of the folder's disk; empty while there is."""
    free = shutil.disk_usage(quota.folder).free
    if free >= LEAST_FREE:
        return ""
    return f"only {free}{_WAS_LEFT}{quota.what}"


def tells_of_full_disk(reason: str) -> bool:
    """Whether a run was ended for a disk that others may have filled."""
    return _WAS_LEFT in reason


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
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed meanwhile
        except OSError as exc:
            return f"nobody can look into a folder that it made in {quota.what}: {exc.strerror}"
    return ""


def _size_of(entry: os.DirEntry[str]) -> int:
    """Return what it takes of the disk, or claims to hold: a sparse file is as large as it will be read."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    return max(status.st_size, status.st_blocks * 512)
