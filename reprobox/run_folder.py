"""A run's own folder: made, lent to the program for the time of the run, and never too full for the record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from reprobox.engines.base import EngineInfo
from reprobox.errors import UsageError
from reprobox.files import name_full_disk
from reprobox.outputs import copy_outputs, walk_tree
from reprobox.records import EarlierRun

UNPRIVILEGED = (1000, 1000)
"""Who the program is inside when the caller is root: never root itself."""
OnOutput = Callable[[str, bytes], None]
_LOG_LIMIT = 64 * 2**20
"""Bytes of the program's output kept in ``log.txt``."""
_RESERVE = 2**20


def make_run_folder(runs: Path, started: datetime) -> Path:
    """Make the folder of a run that begins now, with those that are mounted."""
    stamp = started.strftime("%Y%m%d-%H%M%S")
    for count in range(1, 10_000):
        folder = runs / (stamp if count == 1 else f"{stamp}-{count}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            (folder / "output").mkdir()
            (folder / "record").mkdir()
            return folder
    raise UsageError(f"{runs} already holds ten thousand runs of this second")


def start_from(earlier: EarlierRun | None, folder: Path) -> None:
    """Copy what an earlier run left; where that fails no folder is left either."""
    if earlier is None:
        return
    try:
        copy_outputs(earlier.outputs, Path(earlier.folder) / "output", folder / "output")
    except BaseException:
        shutil.rmtree(folder)
        raise


def choose_inside_user(caller: tuple[int, int]) -> tuple[int, int]:
    """Return who the program is inside."""
    return caller if caller[0] else UNPRIVILEGED


@contextmanager
def lend_folders(folder: Path, caller: tuple[int, int], info: EngineInfo) -> Iterator[None]:
    """Give the writable folders to the user inside for the time of the run, and all that is in them back after it."""
    lent = (folder / "output", folder / "record")
    inside = caller if info.runs_as_caller else choose_inside_user(caller)
    if inside == caller:
        yield
        return
    for path in lent:
        _hand_over(path, inside)
    try:
        yield
    finally:
        for path in lent:
            _hand_over(path, caller)


def _hand_over(folder: Path, owner: tuple[int, int]) -> None:
    os.chown(folder, *owner)
    for path in walk_tree(folder, lambda path, reason: None):
        with suppress(OSError):  # what cannot be reached is warned of when the outputs are listed
            os.chown(path, *owner, follow_symlinks=False)


class RunLog(AbstractContextManager["RunLog"]):
    """Keeps what the program prints, while it is passed on; a full disk ends the keeping and not the run."""

    def __init__(self, path: Path, on_output: OnOutput) -> None:
        self._file = path.open("wb", buffering=0)
        self._on_output = on_output
        self._left = _LOG_LIMIT
        self.warnings: tuple[str, ...] = ()

    def take(self, stream: str, data: bytes) -> None:
        """Take one piece of output."""
        self._on_output(stream, data)
        if self._left <= 0:
            return
        self._left -= len(data)
        try:
            self._file.write(data)
            if self._left <= 0:
                self._file.write(b"\n[reprobox: the program printed more than is kept here]\n")
        except OSError as error:
            self._left = 0
            self.warnings = (f"log.txt is not whole: {error.strerror or error}",)

    def __exit__(self, *_: object) -> None:
        self._file.close()


@contextmanager
def reserve_room(folder: Path) -> Iterator[None]:
    """Keep room for the record, however full the program makes the disk."""
    path = folder / ".reserved"
    try:
        with name_full_disk(folder):
            path.write_bytes(bytes(_RESERVE))
        yield
    finally:
        path.unlink(missing_ok=True)
