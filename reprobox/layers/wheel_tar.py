"""Put opened wheels side by side into one tar: who owns which path, and in which order it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from reprobox.errors import BuildError
from reprobox.layers.tar import Entry, Kind, TarWriter, make_dir, make_file, tar_name
from reprobox.layers.wheel_files import VENV, InstalledFile, describe_wheel, list_installed_files
from reprobox.layers.zip_members import WHOLE, ZipMembers, open_zip
from reprobox.lock import PythonTarget, Wheel

WheelFile = tuple[Wheel, Path]
Listing = dict[str, list[str | int]]
_MESSY = ("test/", "tests/", "doc/", "docs/", "example/", "examples/", "benchmarks/", "LICENSE", "README", "CHANGELOG")
"""What wheels put into the top of site-packages by mistake; there, and only there, the last wheel's file wins."""


class Placed(NamedTuple):
    """A file to install and the archive that holds it."""

    wheel: Wheel
    archive: ZipMembers
    file: InstalledFile


@contextmanager
def open_wheels(wheels: Iterable[WheelFile], python: PythonTarget) -> Iterator[dict[str, Placed]]:
    """Open and check the wheels; yield every file they install together, by path.

    Raises ``BuildError`` for a wheel that is not the locked one, that is damaged or hostile, and for two
    wheels that install different files of one name.
    """
    with ExitStack() as stack:
        placed: dict[str, Placed] = {}
        claims = Claims()
        for wheel, path in wheels:
            archive = stack.enter_context(open_zip(path, describe_wheel(wheel)))
            _check_digest(wheel, archive)
            files = list_installed_files(wheel, archive, python)
            found = {path: Placed(wheel, archive, file) for path, file in files.items()}
            claims.add(list_placed(found))
            placed.update(found)
        yield placed


def list_placed(placed: Mapping[str, Placed]) -> Listing:
    """Return what tells each file from another one: its wheel, size, checksum and mode."""
    return {
        path: [describe_wheel(wheel), file.size, file.crc, file.executable] for path, (wheel, _, file) in placed.items()
    }


class Claims:
    """Which paths are taken by which wheel."""

    def __init__(self) -> None:
        self._files: Listing = {}
        self._folders: set[str] = set()

    def add(self, listing: Listing) -> None:
        """Take the listing's paths.

        Raises ``BuildError`` where a different file is there already, but for the known messes, and where a file
        would be in the place of a folder.
        """
        for path in sorted(self._files.keys() & listing.keys()):
            one, other = self._files[path], listing[path]
            if one[1:] != other[1:] and not path.partition("/site-packages/")[2].startswith(_MESSY):
                raise _overlap(path, [str(one[0]), str(other[0])], "with different contents")
        self._files.update(listing)
        self._folders.update(_folders_of(listing))
        for path in sorted(self._folders & self._files.keys()):
            inside = next(name for name in self._files if name.startswith(f"{path}/"))
            wheels = [str(self._files[path][0]), str(self._files[inside][0])]
            raise _overlap(path, wheels, "one as a file and one as a folder")


def _overlap(path: str, wheels: list[str], problem: str) -> BuildError:
    return BuildError(
        f"{' and '.join(sorted(wheels))} both install /{path}, {problem}",
        hint="which of them is seen would depend on the order; ask for only one of the two",
    )


def is_source(path: str) -> bool:
    """Whether bytecode is made of the file: modules anywhere below the venv's ``lib``."""
    return path.endswith(".py") and path.startswith(f"{VENV}/lib/")


def read_data(placed: Placed) -> bytes:
    """Return a whole file."""
    file = placed.file
    if file.data is not None:
        return file.data
    assert file.member is not None
    return placed.archive.read(file.member)


def write_installed(writer: TarWriter, placed: Mapping[str, Placed]) -> Iterator[int]:
    """Write all files and their folders; yield the bytes of each as it is done."""
    for entry in _order_entries(
        make_file(path, item.file.size, executable=item.file.executable) for path, item in placed.items()
    ):
        if entry.kind is Kind.FILE:
            _write_placed(writer, entry, placed[entry.path])
        else:
            writer.add(entry)
        yield entry.size
    writer.close()


def write_contents(writer: TarWriter, sizes: Mapping[str, int], read: Callable[[str], bytes]) -> None:
    """Write files that are read when their turn comes, and their folders."""
    for entry in _order_entries(make_file(path, size) for path, size in sizes.items()):
        writer.add(entry, read(entry.path) if entry.kind is Kind.FILE else None)
    writer.close()


def _order_entries(files: Iterable[Entry]) -> list[Entry]:
    """Return the files and every folder above them, as a tar wants them."""
    entries = [(tar_name(entry), entry) for entry in files]
    folders = map(make_dir, _folders_of(entry.path for _, entry in entries))
    return [entry for _, entry in sorted([*entries, *((tar_name(folder), folder) for folder in folders)])]


def _write_placed(writer: TarWriter, entry: Entry, placed: Placed) -> None:
    member = placed.file.member
    if member is None or member.size <= WHOLE:
        writer.add(entry, read_data(placed))
    else:
        writer.add(entry, cast(BinaryIO, _Pieces(placed.archive.stream(member))))


def _folders_of(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _check_digest(wheel: Wheel, archive: ZipMembers) -> None:
    """The download was checked when it came; this is for what a disk does afterwards."""
    digest = hashlib.sha256()
    for chunk in archive.read_file():
        digest.update(chunk)
    if digest.hexdigest() != wheel.sha256:
        raise BuildError(
            f"{describe_wheel(wheel)}: is not the locked file any more (its sha256 differs)",
            hint="remove it from the cache; it will be fetched again",
        )


class _Pieces:
    """Pieces of any size as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._start = 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, nothing at the end."""
        if self._start == len(self._rest):
            self._rest, self._start = next(self._pieces, b""), 0
        if not self._start and len(self._rest) <= size:
            self._start = len(self._rest)
            return self._rest
        data = self._rest[self._start : self._start + size]
        self._start += len(data)
        return data
