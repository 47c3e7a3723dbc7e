"""Layers of bytecode, one for each group of wheels; that of small wheels is kept by wheel too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple

from reprobox.errors import BuildError
from reprobox.layers.bytecode import Compiler, Wait
from reprobox.layers.model import Layer
from reprobox.layers.read_tar import read_entries
from reprobox.layers.spool import Spool, Waiting
from reprobox.layers.store import DamagedLayer, LayerStore
from reprobox.layers.tar import TarWriter, make_file
from reprobox.layers.wheel_tar import Placed, WheelFile, is_source, read_data, write_contents
from reprobox.lock import PythonTarget, Wheel

Report = Callable[[str, int, int], None]
"""Gets what is made, how much of it is done, and of how much; may raise, to stop."""
OnLayer = Callable[[Layer], None]
_Files = Mapping[str, Waiting]
_WHAT = "bytecode"


class _Part(NamedTuple):
    """The sources of one wheel, as far as they are installed from it."""

    key: str
    """The store's key for the wheel's bytecode; empty where the wheel has a layer of its own."""
    sources: Mapping[str, Placed]


class _Sources(Mapping[str, bytes]):
    """Sources by their absolute paths in the image; each is read from its wheel when it is looked up.

    The largest first, so that no process is left with a large one at the end.
    """

    def __init__(self, placed: Mapping[str, Placed]) -> None:
        ordered = sorted(placed.items(), key=lambda item: (-item[1].file.size, item[0]))
        self._placed = {f"/{path}": item for path, item in ordered}

    def __getitem__(self, path: str) -> bytes:
        return read_data(self._placed[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._placed)

    def __len__(self) -> int:
        return len(self._placed)


def bytecode_key(wheels: Sequence[Wheel], python: PythonTarget, identity: str) -> str:
    """Return the layer store's key of a group's bytecode; ``identity`` is the compiler's."""
    contents = [[wheel.name, wheel.version, wheel.sha256] for wheel in wheels]
    return json.dumps(["bytecode of", python.short, identity, contents])


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

    @contextmanager
    def begin(
        self, group: Sequence[WheelFile], open_group: Callable[[], Mapping[str, Placed]], on_layer: OnLayer
    ) -> Iterator[Callable[[], None]]:
        """Have a group's sources compiled; yield what waits for them and makes the layer, an empty one without any.

        ``on_layer`` gets it before the bytecode is kept by wheel too, which is of use to later builds only.
        """
        if layer := self.find(group):
            yield partial(on_layer, layer)
            return
        what = _describe(group)
        parts = self._list_parts(open_group(), alone=len(group) == 1)
        with Spool(self._store, what) as spool:
            # What an earlier build of the same wheel has left here is not compiled: so a change of one small wheel
            # costs the bytecode of that one alone, not of all that share its layer.
            found = {part.key: self._find_part(part.key, spool) for part in parts if part.key}
            kept = {key: files for key, files in found.items() if files is not None}
            missing = [part for part in parts if part.key not in kept]
            sources = {path: item for part in missing for path, item in part.sources.items()}
            made, wait = self._compile(sources, what, spool)

            def finish() -> None:
                with spool:
                    wait()
                    new = [(part.key, self._name_files(part, made)) for part in missing]
                    files: dict[str, Waiting] = {}
                    for some in (*kept.values(), *(named for _, named in new)):
                        files.update(some)
                    on_layer(self._store.make(self._key_of(group), what, _write_with_folders(files, spool)))
                    for key, named in new:
                        if key:
                            self._store.make(key, _WHAT, _write_files(named, spool))

            yield finish

    def _key_of(self, group: Sequence[WheelFile]) -> str:
        return bytecode_key([wheel for wheel, _ in group], self._python, self._compiler.identity)

    def _list_parts(self, placed: Mapping[str, Placed], *, alone: bool) -> tuple[_Part, ...]:
        wheels: dict[str, dict[str, Placed]] = {}
        for path, item in placed.items():
            if is_source(path):
                wheels.setdefault(item.wheel.sha256, {})[path] = item
        return tuple(_Part("" if alone else self._part_key(sha256, files), files) for sha256, files in wheels.items())

    def _part_key(self, sha256: str, paths: Iterable[str]) -> str:
        listing = hashlib.sha256("\0".join(sorted(paths)).encode("utf-8", "surrogateescape")).hexdigest()
        return json.dumps(["bytecode", self._python.short, self._compiler.identity, sha256, listing])

    def _name_files(self, part: _Part, made: _Files) -> _Files:
        """Return a wheel's bytecode files by their own paths."""
        names = {path: _bytecode_path(path, self._python) for path in part.sources}
        return {name: made[path] for path, name in names.items() if path in made}

    def _compile(self, sources: Mapping[str, Placed], what: str, spool: Spool) -> tuple[_Files, Wait]:
        """Begin to compile every source into the spool; return what has been, by the source's path, and the wait."""
        total, done = sum(item.file.size for item in sources.values()), 0
        made: dict[str, Waiting] = {}

        def keep(path: str, data: bytes | None) -> None:
            nonlocal done
            done += sources[path[1:]].file.size
            if data is not None:
                made[path[1:]] = spool.add(data)
            self._report(what, done, total)

        if sources:
            self._report(what, 0, total)
        return made, self._compiler.begin(_Sources(sources), keep)

    def _find_part(self, key: str, spool: Spool) -> _Files | None:
        layer = self._store.find(key)
        if layer is None:
            return None
        try:
            entries = read_entries(self._store.read_verified(layer), _WHAT)
            return {entry.path: spool.add(data.read()) for entry, data in entries if data is not None}
        except (DamagedLayer, BuildError):
            return None


def _describe(group: Sequence[WheelFile]) -> str:
    wheel = group[0][0]
    return f"{_WHAT} of {wheel.name} {wheel.version}" if len(group) == 1 else f"{_WHAT} of {len(group)} packages"


def _bytecode_path(path: str, python: PythonTarget) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.cpython-{python.short.replace('.', '')}.pyc"


def _write_with_folders(files: _Files, spool: Spool) -> Callable[[BinaryIO], None]:
    sizes = {path: place.size for path, place in files.items()}
    return lambda out: write_contents(TarWriter(out), sizes, lambda path: spool.read(files[path]))


def _write_files(files: _Files, spool: Spool) -> Callable[[BinaryIO], None]:
    """Write the files alone, without folders: for nobody but this program to read."""

    def write(out: BinaryIO) -> None:
        writer = TarWriter(out)
        for path in sorted(files, key=lambda path: path.encode("utf-8", "surrogateescape")):
            writer.add(make_file(path, files[path].size), spool.read(files[path]))
        writer.close()

    return write
