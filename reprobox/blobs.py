"""Downloaded files by their sha256: verified, resumable, safe under two processes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reprobox.errors import FetchError
from reprobox.files import FULL_DISK, write_atomic

_CHUNK = 1 << 20


class BlobStore:
    """A folder of files named by their sha256.

    ``blobs/sha256/ab/<hex>`` is a whole file, ``<hex>.stamp`` beside it says that it was hashed and what it looked
    like then, ``<hex>.part`` is a download that was cut off, ``<hex>.lock`` belongs to whoever works on it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def locate(self, sha256: str) -> Path:
        """Say where the file is, or would be."""
        return self.root / "blobs" / "sha256" / sha256[:2] / sha256

    def find(self, sha256: str) -> Path | None:
        """Return the file if it is here and unchanged since it was hashed.

        Cheap: compares size and modification time with the stamp; without a stamp that fits it hashes.
        """
        path = self.locate(sha256)
        seen = _look_at(path)
        if seen is None:
            return None
        if _read_stamp(path) == seen:
            return path
        return path if self.verify(sha256) else None

    def verify(self, sha256: str) -> bool:
        """Hash the file again; a damaged one is removed, so that the next fetch gets it anew."""
        path = self.locate(sha256)
        try:
            seen = _look_at(path)
            with path.open("rb") as stream:
                good = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
                if not good and _same_file(stream.fileno(), path):  # not one that came in its place meanwhile
                    path.unlink()
        except OSError:
            return False
        if good and seen:
            _write_stamp(path, seen)
        return good

    def add_file(self, source: Path, sha256: str) -> Path:
        """Take over a file of this machine, by a hard link where that works, else by a copy.

        Raises FetchError when it does not hash to ``sha256``.
        """
        with self.lock(sha256):
            if found := self.find(sha256):
                return found
            part = self.part(sha256)
            with self._explain_trouble(source.name, source.stat().st_size, part):
                part.unlink(missing_ok=True)
                try:
                    os.link(source.resolve(), part)
                except OSError:  # another file system, or another owner's file
                    shutil.copyfile(source, part)
            return self.finish(sha256, what=str(source))

    def part(self, sha256: str) -> Path:
        """Say where an unfinished download is kept; only whoever holds the lock may touch it."""
        path = self.locate(sha256).with_suffix(".part")
        with self._explain_trouble(path.name, 0):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_part(self, sha256: str, write: Callable[[BinaryIO], None], *, what: str, size: int) -> None:
        """Let ``write`` append to the unfinished download; a full disk removes it and is one clear error."""
        with self._explain_trouble(what, size, self.part(sha256)), self.part(sha256).open("ab") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self, sha256: str, *, what: str, got: str | None = None) -> Path:
        """Give the unfinished download its name; one with a wrong hash is removed and is a FetchError.

        ``got`` is its hash where the caller took it while writing.
        """
        part, path = self.part(sha256), self.locate(sha256)
        got = got or hash_file(part)
        if got != sha256:
            part.unlink()
            raise WrongHash(
                f"{what}: the file is not the one that was locked: expected sha256 {sha256}, got {got}",
                hint="whoever serves it changed it, or something on the way did; if that is meant, run `reprobox lock`",
            )
        with self._explain_trouble(what, 0):
            part.replace(path)
        seen = _look_at(path)
        if seen:
            _write_stamp(path, seen)
        return path

    @contextmanager
    def lock(self, sha256: str) -> Iterator[None]:
        """Be the only one to work on this file, among all threads and processes; waits for the others.

        The lock is the kernel's: a process that dies lets go of it.
        """
        path = self.part(sha256).with_suffix(".lock")
        while True:
            with self._explain_trouble(path.name, 0):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever had it before may have removed the file we opened: then the lock is worth nothing.
            if _same_file(descriptor, path):
                break
            os.close(descriptor)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def check_space(self, needed: int, what: str) -> None:
        """Raise FetchError now when ``needed`` bytes cannot fit, rather than in the middle."""
        with self._explain_trouble(what, needed):
            self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free
        if needed > free:
            raise self._full(what, needed, free)

    @contextmanager
    def _explain_trouble(self, what: str, size: int, part: Path | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if exc.errno not in FULL_DISK:
                raise FetchError(
                    f"{what}: the download cache {self.root} cannot be written: {exc.strerror}",
                    hint="check who owns the cache folder, or choose another one",
                ) from exc
            if part:
                part.unlink(missing_ok=True)
            raise self._full(what, size, shutil.disk_usage(self.root).free) from exc

    def _full(self, what: str, needed: int, free: int) -> FetchError:
        return FetchError(
            f"{what}: {_megabytes(needed)} are needed, {_megabytes(free)} are free where the download cache is,"
            f" {self.root}",
            hint="make room there, or choose another cache folder",
        )


class WrongHash(FetchError):
    """A file was had in full and is not the one that was locked."""


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _look_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # not there; or a cache that cannot be read, which writing to it will explain
        return None
    return found.st_size, found.st_mtime_ns


def _read_stamp(path: Path) -> tuple[int, int] | None:
    try:
        stamp = json.loads(path.with_suffix(".stamp").read_bytes())
        return int(stamp["size"]), int(stamp["mtime_ns"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_stamp(path: Path, seen: tuple[int, int]) -> None:
    try:
        write_atomic(path.with_suffix(".stamp"), json.dumps({"size": seen[0], "mtime_ns": seen[1]}))
    except OSError:
        return  # without a stamp the file is hashed at each use: slower, and right


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
