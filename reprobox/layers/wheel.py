"""Make layers of wheels: installed into the venv, with bytecode, one layer per large wheel, each made once."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import BinaryIO, cast

from reprobox.errors import BuildError, Interrupted
from reprobox.layers.bytecode import Compiler
from reprobox.layers.model import Layer
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import DamagedLayer, LayerStore
from reprobox.layers.tar import TarWriter, make_file
from reprobox.layers.wheel_files import short_version
from reprobox.layers.wheel_tar import (
    Claims,
    Listing,
    Placed,
    WheelFile,
    is_source,
    list_placed,
    open_wheels,
    read_data,
    write_installed,
)
from reprobox.lock import PythonTarget, Wheel

LARGE_WHEEL = 10_000_000
"""Bytes of a wheel file from which it gets a layer of its own."""
MOST_LAYERS = 100
"""Engines stop at about 125; base, system packages, runtime and source need theirs."""
Progress = Callable[[str, int, int], None]
"""Called from any thread with the layer's name, the bytes written and all bytes to write."""


def group_wheels(wheels: Iterable[Wheel]) -> tuple[tuple[Wheel, ...], ...]:
    """Return which wheels share a layer: each large one has its own, largest first; the small ones follow together."""
    by_size = sorted(wheels, key=lambda wheel: (-wheel.size, wheel))
    large = [wheel for wheel in by_size if wheel.size >= LARGE_WHEEL][: MOST_LAYERS - 1]
    small = tuple(sorted(by_size[len(large) :]))
    return (*((wheel,) for wheel in large), *((small,) if small else ()))


def describe_group(wheels: Sequence[Wheel]) -> str:
    """Return a layer's name for people: "torch 2.13.0", "27 packages"."""
    return f"{wheels[0].name} {wheels[0].version}" if len(wheels) == 1 else f"{len(wheels)} packages"


def wheel_layer_key(wheels: Sequence[Wheel], python: PythonTarget, identity: str) -> str:
    """Return the layer store's key: everything the layer's bytes depend on."""
    contents = [[wheel.name, wheel.version, wheel.sha256] for wheel in wheels]
    return json.dumps(["wheels", short_version(python), identity, contents])


def find_wheel_layers(
    groups: Iterable[Sequence[Wheel]], python: PythonTarget, identity: str, store: LayerStore
) -> tuple[Layer | None, ...]:
    """Return the layers that are there already; only the wheels of the others are needed."""
    return tuple(store.find(wheel_layer_key(group, python, identity)) for group in groups)


def make_wheel_layer(
    wheels: Sequence[WheelFile], python: PythonTarget, compiler: Compiler, store: LayerStore, what: str
) -> Layer:
    """Return the layer that holds ``wheels`` installed, made if the store has none."""
    return _Workshop(python, compiler, store, None).make_layer(wheels, what)


def make_wheel_layers(
    groups: Sequence[Sequence[WheelFile]],
    python: PythonTarget,
    compiler: Compiler,
    store: LayerStore,
    *,
    on_progress: Progress | None = None,
    workers: int | None = None,
) -> tuple[Layer, ...]:
    """Return one layer for each group, in order; while the sources of one are compiled, others are written.

    Give all groups of an image, so that the wheels are compared with each other; the files of those whose
    layer is there already (:func:`find_wheel_layers`) are not needed and may be absent. Raises ``BuildError``
    for a wheel that is damaged or hostile, and for two wheels that want the same path.
    """
    workshop = _Workshop(python, compiler, store, on_progress)
    checked = json.dumps(["no overlap", [workshop.key_of(group) for group in groups]])
    found = [store.find(workshop.key_of(group)) for group in groups]
    if store.find(checked) is not None and all(found):
        return tuple(layer for layer in found if layer is not None)
    layers = _run_all(workshop, groups, workers or min(4, (os.cpu_count() or 1) + 1))
    store.make(checked, "check", lambda out: None)
    return layers


def _run_all(workshop: _Workshop, groups: Sequence[Sequence[WheelFile]], workers: int) -> tuple[Layer, ...]:
    with ThreadPoolExecutor(workers, "layer") as pool:
        futures = [
            pool.submit(workshop.make_layer, group, describe_group([wheel for wheel, _ in group])) for group in groups
        ]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return tuple(future.result() for future in futures)
        except BaseException:
            workshop.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Workshop:
    """Makes layers; shared by the threads of one build."""

    def __init__(
        self, python: PythonTarget, compiler: Compiler, store: LayerStore, on_progress: Progress | None
    ) -> None:
        self._python = python
        self._compiler = compiler
        self._store = store
        self._on_progress = on_progress
        self._compiling = threading.Lock()
        self._claiming = threading.Lock()
        self._claims = Claims()
        self._stopped = False

    def stop(self) -> None:
        """Have every thread give up at its next file."""
        self._stopped = True

    def key_of(self, wheels: Sequence[WheelFile]) -> str:
        """Return the store's key for the group's layer."""
        return wheel_layer_key([wheel for wheel, _ in wheels], self._python, self._compiler.identity)

    def make_layer(self, wheels: Sequence[WheelFile], what: str) -> Layer:
        """Return the layer of one group, after a check that it shares no path with those before it."""
        key = self.key_of(wheels)
        layer = self._store.find(key)
        if layer is None:
            return self._store.make(key, what, lambda out: self._write(out, wheels, what))
        self._claim(self._find_listing(key) or self._list_again(wheels))
        return layer

    def _list_again(self, wheels: Sequence[WheelFile]) -> Listing:
        """Make up for a listing that was damaged on disk; without the wheels there is nothing to compare."""
        if not all(path.is_file() for _, path in wheels):
            return {}
        with open_wheels(wheels, self._python) as placed:
            return self._keep_listing(self.key_of(wheels), placed)

    def _keep_listing(self, key: str, placed: Mapping[str, Placed]) -> Listing:
        """Keep what a layer installs beside it, so that a later build can compare without the wheels."""
        listing = list_placed(placed)
        text = json.dumps(listing).encode()
        self._store.make(_listing_key(key), "listing", lambda out: out.write(text))
        return listing

    def _find_listing(self, key: str) -> Listing | None:
        layer = self._store.find(_listing_key(key))
        if layer is None:
            return None
        try:
            return cast(Listing, json.loads(b"".join(self._store.read_verified(layer))))
        except (DamagedLayer, ValueError):
            return None

    def _claim(self, listing: Listing) -> None:
        """Raise ``BuildError`` when another layer of this build installs a different file of the same name."""
        with self._claiming:
            self._claims.add(listing)

    def _write(self, out: BinaryIO, wheels: Sequence[WheelFile], what: str) -> None:
        with open_wheels(wheels, self._python) as placed:
            self._claim(self._keep_listing(self.key_of(wheels), placed))
            sources = {path: read_data(item) for path, item in placed.items() if is_source(path)}
            bytecode = self._keep_bytecode(placed, sources) if len(wheels) > 1 else self._compile(sources)
            total = sum(item.file.size for item in placed.values()) + sum(map(len, bytecode.values()))
            done = 0
            for size in write_installed(TarWriter(out), placed, {**sources, **bytecode}):
                done += size
                self._report(what, done, total)

    def _report(self, what: str, done: int, total: int) -> None:
        if self._stopped:
            raise Interrupted("stopped")
        if self._on_progress is not None:
            self._on_progress(what, done, total)

    def _compile(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the bytecode files of ``sources``, by path; one call at a time, because it takes all cores."""
        if not sources:
            return {}
        with self._compiling:
            if self._stopped:
                raise Interrupted("stopped")
            made = self._compiler.compile({f"/{path}": data for path, data in sources.items()})
        return {_bytecode_path(path[1:], self._python): data for path, data in made.items()}

    def _keep_bytecode(self, placed: Mapping[str, Placed], sources: Mapping[str, bytes]) -> dict[str, bytes]:
        """Compile what no earlier layer with the same wheel has, and keep each wheel's bytecode for later ones.

        So a change of one small wheel costs the bytecode of that one alone, not of all that share its layer.
        """
        wheels: dict[str, dict[str, bytes]] = {}
        for path, source in sources.items():
            wheels.setdefault(placed[path].wheel.sha256, {})[path] = source
        keys = {sha256: self._bytecode_key(sha256, files) for sha256, files in wheels.items()}
        kept = {sha256: self._find_bytecode(key) for sha256, key in keys.items()}
        missing = {
            path: data for sha256, files in wheels.items() if kept[sha256] is None for path, data in files.items()
        }
        made = self._compile(missing)
        result: dict[str, bytes] = {}
        for sha256, files in wheels.items():
            found = kept[sha256]
            if found is None:
                wanted = {_bytecode_path(path, self._python) for path in files}
                found = {path: data for path, data in made.items() if path in wanted}
                self._store.make(keys[sha256], "bytecode", _tar_of(found))
            result.update(found)
        return result

    def _bytecode_key(self, sha256: str, paths: Iterable[str]) -> str:
        listing = hashlib.sha256("\0".join(sorted(paths)).encode("utf-8", "surrogateescape")).hexdigest()
        return json.dumps(["bytecode", short_version(self._python), self._compiler.identity, sha256, listing])

    def _find_bytecode(self, key: str) -> dict[str, bytes] | None:
        layer = self._store.find(key)
        if layer is None:
            return None
        try:
            chunks = self._store.read_verified(layer)
            return {entry.path: data.read() for entry, data in read_entries(chunks, "bytecode") if data is not None}
        except (DamagedLayer, BuildError):
            return None


def _listing_key(key: str) -> str:
    return json.dumps(["listing", key])


def _bytecode_path(path: str, python: PythonTarget) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.cpython-{short_version(python).replace('.', '')}.pyc"


def _tar_of(files: Mapping[str, bytes]) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        writer = TarWriter(out)
        for path in sorted(files, key=lambda path: path.encode("utf-8", "surrogateescape")):
            writer.add(make_file(path, len(files[path])), files[path])
        writer.close()

    return write
