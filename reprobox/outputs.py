"""Look at what a run left under ``/output``."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reprobox.errors import UsageError
from reprobox.globs import Glob
from reprobox.records import OutputFile

_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class Unread:
    """Something below ``/output`` that is neither a folder nor a file that could be read."""

    path: str
    what: str
    """In words; of a link, where it leads."""
    closed: bool
    """Whether it holds what nobody has seen, so that two of them are not known to be the same."""


def list_outputs(folder: Path) -> tuple[tuple[OutputFile, ...], tuple[str, ...]]:
    """Return every regular file below ``folder`` with its hash, sorted, and a warning for everything else.

    Links are never followed and nothing but regular files is opened: the program that left them is not trusted.
    """
    files: list[OutputFile] = []
    warnings: list[str] = []

    def warn(path: Path, reason: str) -> None:
        warnings.append(f"output {path.relative_to(folder).as_posix()!r} was not read: {reason}")

    for path in walk_tree(folder, warn):
        try:
            if stat.S_ISDIR(path.lstat().st_mode):
                continue
            if _disarm(path):
                name = path.relative_to(folder).as_posix()
                warnings.append(f"output {name!r} ran as whoever owns it: that mode was taken away")
            files.append(_hash_output(path, path.relative_to(folder).as_posix()))
        except OSError as exc:
            warn(path, exc.strerror or str(exc))
    return tuple(sorted(files, key=lambda file: file.path)), tuple(sorted(warnings))


def list_unread(folder: Path, listed: Collection[str]) -> tuple[Unread, ...]:
    """Return what a run left below ``folder`` beside the files that its record lists, sorted by path.

    Links are not followed, and nothing but regular files is opened. Nothing where there is no such folder.
    """
    found: dict[str, Unread] = {}

    def note(path: Path, reason: str) -> None:
        name = path.relative_to(folder).as_posix()
        found[name] = Unread(name, f"a folder that cannot be listed: {reason}", True)

    for path in walk_tree(folder, note) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        if name not in listed and (one := _look_at(path, name, folder)):
            found[name] = one
    return tuple(found[name] for name in sorted(found))


def _look_at(path: Path, name: str, folder: Path) -> Unread | None:
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            return None
        if stat.S_ISLNK(mode):
            return Unread(name, f"a link to {_read_link(path, folder)}", False)
        if not stat.S_ISREG(mode):
            return Unread(name, _KINDS.get(stat.S_IFMT(mode), "no regular file"), False)
        os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
    except OSError as exc:
        return Unread(name, f"it cannot be read: {exc.strerror or exc}", True)
    return None


def _read_link(path: Path, folder: Path) -> str:
    """Return where a link leads, by the program's name for the folder: without a container it may see the real one."""
    target, own = str(path.readlink()), f"{folder.absolute()}/"
    return f"/output/{target.removeprefix(own)}" if target.startswith(own) else target


def compare_unread(a: Unread | None, b: Unread | None) -> tuple[str, bool]:
    """Return how two runs' outputs of one name differ, and whether that is known; "" where they do not.

    ``None`` stands for a file that was read.
    """
    for one in (a, b):
        if one and one.closed:
            return one.what, False
    words = [one.what if one else "a file" for one in (a, b)]
    return (" against ".join(words) if words[0] != words[1] else "", True)


def select_unread(declared: tuple[str, ...], found: tuple[Unread, ...]) -> tuple[Unread, ...]:
    """Return those that a declared path, folder or glob matches; all of them where nothing is declared."""
    wanted = {file.path for file in select_outputs(declared, tuple(OutputFile(one.path, "", 0) for one in found))}
    return tuple(one for one in found if one.path in wanted)


def _disarm(path: Path) -> bool:
    """Take the modes away by which a file runs as its owner, or as its group, and say whether it had them."""
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode) or not mode & (stat.S_ISUID | stat.S_ISGID):
        return False
    path.chmod(stat.S_IMODE(mode) & 0o777)
    return True


def walk_tree(folder: Path, on_error: Callable[[Path, str], None]) -> Iterator[Path]:
    """Yield everything below ``folder``, folders before what is in them; links are never followed.

    ``on_error`` gets the folders that cannot be listed, and why. However deep they go: ``os.walk`` calls itself.
    """
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        try:
            entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
        except OSError as exc:
            on_error(parent, exc.strerror or str(exc))
            continue
        for entry in entries:
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))


def find_output(run: Path, path: str) -> Path | None:
    """Return where an output of the run in ``run`` lies, if it is there; ``None`` where its name leads elsewhere.

    A program may have left a link in the place of any folder above it.
    """
    output, name = run / "output", PurePosixPath(path)
    found = output / name
    # Not `resolve`, which is an error of its own kind where links lead in a circle.
    real = Path(os.path.realpath(found.parent))
    return found if not name.is_absolute() and real.is_relative_to(os.path.realpath(output)) else None


def find_missing(declared: tuple[str, ...], present: tuple[OutputFile, ...]) -> tuple[str, ...]:
    """Return the declared paths, folders or globs that no output matches."""
    globs = {item: Glob(item) for item in declared}
    return tuple(item for item, glob in globs.items() if not any(glob.names(file.path) for file in present))


def select_outputs(declared: tuple[str, ...], present: tuple[OutputFile, ...]) -> tuple[OutputFile, ...]:
    """Return the outputs that a declared path, folder or glob matches; all of them where nothing is declared."""
    if not declared:
        return present
    globs = [Glob(item) for item in dict.fromkeys(declared)]
    return tuple(file for file in present if any(glob.names(file.path) for glob in globs))


def copy_outputs(files: Iterable[OutputFile], source: Path, target: Path) -> None:
    """Copy outputs that a record lists, and check that they are still those.

    Raises ``UsageError`` for one that is gone, is another by now, or whose name leads out of ``source``.
    """
    for file in files:
        name = PurePosixPath(file.path)
        found, copy = source / name, target / name
        if name.is_absolute() or ".." in name.parts or not found.parent.resolve().is_relative_to(source.resolve()):
            raise UsageError(f"{source}: the record names an output {file.path!r}, which leads out of that folder")
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as stream, copy.open("xb") as writer:
                shutil.copyfileobj(stream, writer)
                copy.chmod(stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o777)
            same = _hash_output(copy, file.path) == file
        except OSError as exc:
            raise UsageError(f"{found} cannot be copied: {exc.strerror or exc}", hint=_RUN_AGAIN) from exc
        if not same:
            raise UsageError(f"{found} is not what its run left there: its sha256 has changed", hint=_RUN_AGAIN)


_RUN_AGAIN = "run the earlier stages again, or name another run"


def _hash_output(path: Path, name: str) -> OutputFile:
    # O_NOFOLLOW and the check on the open file, not on its name: the container may still be changing it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        return OutputFile(name, hashlib.file_digest(stream, "sha256").hexdigest(), status.st_size)
