"""Hash the files and folders a run reads, and compare them with what the spec says."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from reprobox.errors import Problem, SpecError, UsageError
from reprobox.spec.model import Spec

_WORKERS = min(8, os.cpu_count() or 1)
_BATCH = 4096

MakeProblem = Callable[[str, str, str], Problem]
"""Key, message, hint -> a problem; :meth:`reprobox.spec.positions.LoadedSpec.problem` adds the position."""


def hash_file(path: Path) -> str:
    """Return the sha256 of a regular file's content, as ``sha256sum`` prints it.

    Raises UsageError for anything else, and for a file that is unreadable or changes meanwhile.
    """
    return _hash_regular(os.fsencode(path), follow=True)


def hash_folder(path: Path) -> str:
    """Return one sha256 over the names, kinds and contents of everything in a folder; times and modes do not count.

    It is the sha256 of a listing of NUL-terminated lines, each group sorted by bytes, paths as ``find .`` prints them:
    files as ``sha256sum -z`` prints them, links as ``link <length of target> <target>  <path>``, empty folders as
    ``folder  <path>``. GNU tools compute the same::

        { find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum -z
          find . -type l -printf 'link %s %l  %p\\0' | LC_ALL=C sort -z
          find . -type d -empty -printf 'folder  %p\\0' | LC_ALL=C sort -z; } | sha256sum

    Raises UsageError for a folder with devices, sockets or pipes in it, a link that leaves it, or unreadable files.
    """
    root = os.fsencode(path)
    files: list[bytes] = []
    links: list[bytes] = []
    folders: list[bytes] = []
    for name, kind in _walk(root):
        match kind:
            case "file":
                files.append(name)
            case "link":
                target = _read_link(root, name)
                links.append(b"link %d %s  %s\0" % (len(target), target, name))
            case _:
                folders.append(b"folder  %s\0" % name)
    whole = hashlib.sha256()
    for line in _hash_files(root, sorted(files)):
        whole.update(line)
    whole.update(b"".join([*sorted(links), *sorted(folders)]))
    return whole.hexdigest()


def _hash_files(root: bytes, files: list[bytes]) -> Iterator[bytes]:
    """Yield the line of each file, hashing several at once (hashlib works without the interpreter's lock)."""
    from concurrent.futures import ThreadPoolExecutor  # late: most runs have no folders to hash

    paths = [os.path.join(root, name) for name in files]  # noqa: PTH118
    with ThreadPoolExecutor(_WORKERS) as pool:
        for start in range(0, len(paths), _BATCH):
            digests = pool.map(partial(_hash_regular, follow=False), paths[start : start + _BATCH])
            for name, digest in zip(files[start : start + _BATCH], digests, strict=True):
                yield b"%s  %s\0" % (digest.encode(), name)


def check_inputs(spec: Spec, project: Path, problem: MakeProblem | None = None) -> None:
    """Raise SpecError with every input that is missing, unreadable, or not what its sha256 says."""
    problem = problem or (lambda key, message, hint: Problem("spec.yaml", 0, 0, key, message, hint))
    problems = []
    for name, wanted in spec.inputs.items():
        key = f"inputs.{name}"
        try:
            found = hash_input(project / wanted.path)
        except UsageError as exc:
            problems.append(problem(key, exc.message, exc.hint or ""))
            continue
        if found != wanted.sha256:
            message = f"{wanted.path} is not what the spec says: its sha256 is {found}, not {wanted.sha256}"
            problems.append(problem(key, message, "restore it, or write its new sha256 into the spec"))
    if problems:
        raise SpecError(tuple(problems))


def hash_input(path: Path) -> str:
    """Return the sha256 of an input: :func:`hash_folder` of a folder, :func:`hash_file` of anything else."""
    try:
        folder = path.is_dir()
    except (OSError, ValueError) as exc:
        raise _unreadable(os.fsencode(path), exc) from exc
    return hash_folder(path) if folder else hash_file(path)


def _walk(root: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield every file, link and empty folder below ``root``, as ``./a/b``, in no order."""
    waiting = [b"."]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118
                children = list(entries)
        except OSError as exc:
            raise _unreadable(os.path.join(root, folder), exc) from exc  # noqa: PTH118
        if not children:
            yield folder, "folder"
        for child in children:
            name = folder + b"/" + child.name
            if child.is_symlink():
                yield name, "link"
            elif child.is_dir(follow_symlinks=False):
                waiting.append(name)
            else:
                yield name, "file"


def _hash_regular(path: bytes, *, follow: bool) -> str:
    # O_NONBLOCK: opening a pipe must not wait for its other end.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        with open(os.open(path, flags), "rb", buffering=0) as stream:  # noqa: PTH123
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise UsageError(
                    f"{_show(path)} is neither a file nor a folder", hint="inputs are plain files and folders"
                )
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            after = os.fstat(stream.fileno())
    except (OSError, ValueError) as exc:
        raise _unreadable(path, exc) from exc
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UsageError(f"{_show(path)} changed while it was read", hint="wait until nothing writes to it")
    return digest


def _read_link(root: bytes, name: bytes) -> bytes:
    """Return a link's target, which must be relative and inside the folder, or a container would not find it."""
    path = os.path.join(root, name)  # noqa: PTH118
    try:
        target = os.readlink(path)  # noqa: PTH115
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    inside = os.path.normpath(os.path.join(os.path.dirname(name), target))  # noqa: PTH118, PTH120
    if target.startswith(b"/") or inside == b".." or inside.startswith(b"../"):
        hint = "put a copy of what it points at in its place"
        raise UsageError(f"{_show(path)} is a link that leaves the folder, to {_show(target)}", hint=hint)
    return target


def _unreadable(path: bytes, exc: Exception) -> UsageError:
    match exc:
        case FileNotFoundError():
            return UsageError(f"{_show(path)} does not exist", hint="paths count from the spec's folder")
        case PermissionError():
            return UsageError(f"{_show(path)} cannot be read: permission denied", hint="make it readable for yourself")
        case _:
            return UsageError(f"{_show(path)} cannot be read: {getattr(exc, 'strerror', None) or exc}")


def _show(path: bytes) -> str:
    text = os.path.normpath(path).decode(errors="backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]
