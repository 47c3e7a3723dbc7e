"""Write files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".reprobox-tmp"
"""How the name of a file ends that is still being written, or whose writer was killed: nobody may take it for more."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What some network and FUSE file systems answer."""
FULL_DISK = frozenset((errno.ENOSPC, errno.EDQUOT))
"""What a write says where the disk, or what a user may have of it, is full."""


@contextmanager
def name_full_disk(path: Path) -> Iterator[None]:
    """Have the error of a full disk name ``path``: a write to an open file knows only the descriptor."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL_DISK and exc.filename is None:
            exc.filename = str(path)
        raise


@contextmanager
def open_atomic(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; rename it to ``path`` only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:40]}."
    remove_leftovers(path.parent, prefix)
    descriptor, temporary = make_temporary(path.parent, prefix)
    try:
        with name_full_disk(path), os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Replace ``path`` by ``data`` (text is UTF-8) in one step."""
    with open_atomic(path, mode=mode) as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def make_folder_atomic(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside ``path``; rename it to that, which is absent or empty, if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:40]}."
    remove_leftovers(path.parent, prefix)
    descriptor, temporary = _make_temporary_folder(path.parent, prefix)
    try:
        with name_full_disk(path):
            yield temporary
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def open_scratch(prefix: str) -> Iterator[Path]:
    """Make a folder among the machine's temporary ones, for the block and for this user alone.

    Those of the same prefix whose processes were killed are removed; nobody else would.
    """
    parent = Path(tempfile.gettempdir())
    with suppress(OSError):  # a folder that may be written to but not listed
        remove_leftovers(parent, prefix, owner=os.geteuid())
    descriptor, folder = _make_temporary_folder(parent, prefix, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make_temporary_folder(parent: Path, prefix: str, mode: int = 0o777) -> tuple[int, Path]:
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(4)}{UNFINISHED}"
        folder.mkdir(mode)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            _hold(descriptor)
        except BaseException:
            os.close(descriptor)
            folder.rmdir()
            raise
        if folder.exists():
            return descriptor, folder
        os.close(descriptor)  # another writer took it for a leftover before it was locked


def make_temporary(folder: Path, prefix: str = "") -> tuple[int, str]:
    """Make a file and lock it for as long as it is open: one that nobody holds is a dead process's."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=UNFINISHED)
        try:
            _hold(descriptor)
        except BaseException:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)
            raise
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # another writer took it for a leftover before it was locked


def _hold(descriptor: int) -> None:
    """Lock an open file or folder; where the file system has no locks nothing is taken for a leftover either."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise


def remove_leftovers(folder: Path, prefix: str = "", suffix: str = UNFINISHED, owner: int | None = None) -> None:
    """Remove what writers left when they were killed: whatever has such a name and is held by nobody.

    Where others write too, ``owner`` is the user whose files alone are looked at.
    """
    for path in folder.iterdir():
        if not (path.name.startswith(prefix) and path.name.endswith(suffix)):
            continue
        try:
            # Whose name it has is not who made it: no link is followed, and no pipe waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue  # gone already, or none of ours
        try:
            if owner not in (None, os.fstat(descriptor).st_uid):
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        except OSError:
            continue  # a living writer's
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep that goes and whatever of it is closed.

    Neither Python's own way nor one by whole paths: a program that nobody trusts may have made folders by the
    thousand in one another. Each is hung up at the top before it is emptied. Links are never followed.
    """
    if not folder.is_symlink():
        folder.chmod(0o700)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        waiting = _empty_folder(top, top)
        while waiting:
            name = waiting.pop()
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                waiting += _empty_folder(inner, top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()


def _empty_folder(folder: int, top: int) -> list[str]:
    """Remove the files of an open folder, and hang its folders up at the top; return their names there."""
    names = []
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
            continue
        os.chmod(entry.name, 0o700, dir_fd=folder)
        name = f".reprobox-{secrets.token_hex(8)}"
        os.rename(entry.name, name, src_dir_fd=folder, dst_dir_fd=top)
        names.append(name)
    return names
