"""Layers of bytecode, one for each group of wheels; that of small wheels is kept by wheel too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from reprobox.errors import BuildError
from reprobox.layers.bytecode import Compiler
from reprobox.layers.model import Layer
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import DamagedLayer, LayerStore
from reprobox.layers.tar import TarWriter, make_file
from reprobox.layers.wheel_files import short_version
from reprobox.layers.wheel_tar import Placed, WheelFile, is_source, read_data, write_contents
from reprobox.lock import PythonTarget, Wheel

Report = Callable[[str, int, int], None]
"""Gets what is made, how much of it is done, and of how much; may raise, to stop."""
_WHAT = "bytecode"


class _Part(NamedTuple):
    """The sources of one wheel, as far as they are installed from it."""

    key: str
    """The store's key for the wheel's bytecode; empty where the wheel has a layer of its own."""
    sources: Mapping[str, bytes]


def bytecode_key(wheels: Sequence[Wheel], python: PythonTarget, identity: str) -> str:
    """Return the layer store's key of a group's bytecode; ``identity`` is the compiler's."""
    contents = [[wheel.name, wheel.version, wheel.sha256] for wheel in wheels]
    return json.dumps(["bytecode of", short_version(python), identity, contents])


class BytecodeShop:
    """Makes the bytecode layers of one image."""

    def __init__(self, python: PythonTarget, compiler: Compiler, store: LayerStore, report: Report) -> None:
        self._python = python
        self._compiler = compiler
        self._store = store
        self._report = report

    def find(self, group: Sequence[WheelFile]) -> Layer | None:
        """Return the layer of a group's bytecode, if it is there."""
        return self._store.find(self._key_of(group))

    def make(self, group: Sequence[WheelFile], open_group: Callable[[], Mapping[str, Placed]]) -> Layer:
        """Return the layer of a group's bytecode, an empty one where it has no sources."""
        layer = self.find(group)
        if layer is not None:
            return layer
        files: dict[str, bytes] = {}
        for part in self._compile(self._read_parts(open_group(), alone=len(group) == 1)):
            files.update(part)
        return self._store.make(self._key_of(group), _describe(group), _write_with_folders(files))

    def _key_of(self, group: Sequence[WheelFile]) -> str:
        return bytecode_key([wheel for wheel, _ in group], self._python, self._compiler.identity)

    def _read_parts(self, placed: Mapping[str, Placed], *, alone: bool) -> tuple[_Part, ...]:
        wheels: dict[str, dict[str, bytes]] = {}
        for path, item in placed.items():
            if is_source(path):
                wheels.setdefault(item.wheel.sha256, {})[path] = read_data(item)
        return tuple(_Part("" if alone else self._part_key(sha256, files), files) for sha256, files in wheels.items())

    def _part_key(self, sha256: str, paths: Iterable[str]) -> str:
        listing = hashlib.sha256("\0".join(sorted(paths)).encode("utf-8", "surrogateescape")).hexdigest()
        return json.dumps(["bytecode", short_version(self._python), self._compiler.identity, sha256, listing])

    def _compile(self, parts: Sequence[_Part]) -> list[Mapping[str, bytes]]:
        """Return each part's bytecode files by path; compile what no earlier build of the same wheel has left here.

        So a change of one small wheel costs the bytecode of that one alone, not of all that share its layer.
        """
        kept = [self._find_part(part.key) if part.key else None for part in parts]
        missing = [part for part, files in zip(parts, kept, strict=True) if files is None]
        made = self._call({path: data for part in missing for path, data in part.sources.items()})
        return [self._keep(part, made) if files is None else files for part, files in zip(parts, kept, strict=True)]

    def _keep(self, part: _Part, made: Mapping[str, bytes]) -> Mapping[str, bytes]:
        names = {path: _bytecode_path(path, self._python) for path in part.sources}
        files = {name: made[path] for path, name in names.items() if path in made}
        if part.key:
            self._store.make(part.key, _WHAT, _write_files(files))
        return files

    def _call(self, sources: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Return the bytecode of every source that compiles, by the source's path."""
        total, done = sum(map(len, sources.values())), 0

        def advance(path: str) -> None:
            nonlocal done
            done += len(sources[path[1:]])
            self._report(_WHAT, done, total)

        if not sources:
            return {}
        self._report(_WHAT, 0, total)
        made = self._compiler.compile({f"/{path}": data for path, data in sources.items()}, advance)
        return {path[1:]: data for path, data in made.items()}

    def _find_part(self, key: str) -> dict[str, bytes] | None:
        layer = self._store.find(key)
        if layer is None:
            return None
        try:
            chunks = self._store.read_verified(layer)
            return {entry.path: data.read() for entry, data in read_entries(chunks, _WHAT) if data is not None}
        except (DamagedLayer, BuildError):
            return None


def _describe(group: Sequence[WheelFile]) -> str:
    wheel = group[0][0]
    return f"{_WHAT} of {wheel.name} {wheel.version}" if len(group) == 1 else f"{_WHAT} of {len(group)} packages"


def _bytecode_path(path: str, python: PythonTarget) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.cpython-{short_version(python).replace('.', '')}.pyc"


def _write_with_folders(files: Mapping[str, bytes]) -> Callable[[BinaryIO], None]:
    return lambda out: write_contents(TarWriter(out), files)


def _write_files(files: Mapping[str, bytes]) -> Callable[[BinaryIO], None]:
    """Write the files alone, without folders: for nobody but this program to read."""

    def write(out: BinaryIO) -> None:
        writer = TarWriter(out)
        for path in sorted(files, key=lambda path: path.encode("utf-8", "surrogateescape")):
            writer.add(make_file(path, len(files[path])), files[path])
        writer.close()

    return write
