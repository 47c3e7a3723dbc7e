"""Make layers of wheels: installed into the venv, large ones apart, bytecode above the files; each made once."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast

from reprobox.errors import Interrupted
from reprobox.layers.bytecode import Compiler
from reprobox.layers.model import Layer
from reprobox.layers.store import DamagedLayer, LayerStore
from reprobox.layers.tar import EMPTY_DIGEST, TarWriter
from reprobox.layers.wheel_bytecode import BytecodeShop, bytecode_key
from reprobox.layers.wheel_tar import (
    Claims,
    Listing,
    Placed,
    WheelFile,
    list_placed,
    open_wheels,
    write_installed,
)
from reprobox.lock import PythonTarget, Wheel

LARGE_WHEEL = 10_000_000
"""Bytes of a wheel file from which it gets layers of its own."""
_SHARED = "nvidia-"
"""How the wheels are called that have layers of their own at any size: whatever needs CUDA pins the same."""
MOST_GROUPS = 50
"""Engines stop at about 125 layers, and a group makes two; base, system packages, runtime and source need theirs."""
_T = TypeVar("_T")
Progress = Callable[[str, int, int], None]
"""Called from any thread with the layer's name, the bytes written and all bytes to write."""
Made = Callable[[int, Layer | None], None]
"""Called from any thread with a layer's place among those of the wheels, when it is there; ``None``: it is empty."""


def group_wheels(wheels: Iterable[Wheel]) -> tuple[tuple[Wheel, ...], ...]:
    """Return which wheels share layers: each large one, and NVIDIA's, has its own, largest first; the others follow."""
    by_size = sorted(wheels, key=lambda wheel: (-wheel.size, wheel))
    alone = [wheel for wheel in by_size if wheel.size >= LARGE_WHEEL or wheel.name.startswith(_SHARED)]
    alone = alone[: MOST_GROUPS - 1]
    others = tuple(sorted(set(by_size) - set(alone)))
    return (*((wheel,) for wheel in alone), *((others,) if others else ()))


def describe_group(wheels: Sequence[Wheel]) -> str:
    """Return a layer's name for people: "torch 2.13.0", "27 packages"."""
    return f"{wheels[0].name} {wheels[0].version}" if len(wheels) == 1 else f"{len(wheels)} packages"


def files_key(wheels: Iterable[Wheel], python: PythonTarget) -> str:
    """Return the layer store's key of a group's files: everything their bytes depend on."""
    return json.dumps(["wheels", python.short, [[one.name, one.version, one.sha256] for one in wheels]])


def find_missing_groups(
    groups: Iterable[Sequence[Wheel]], python: PythonTarget, identity: str, store: LayerStore
) -> tuple[Sequence[Wheel], ...]:
    """Return the groups of which a layer is not there yet; only their wheels are needed."""
    return tuple(
        group
        for group in groups
        if store.find(files_key(group, python)) is None or store.find(bytecode_key(group, python, identity)) is None
    )


def make_wheel_layers(
    groups: Sequence[Sequence[WheelFile]],
    python: PythonTarget,
    compiler: Compiler,
    store: LayerStore,
    *,
    on_progress: Progress | None = None,
    on_made: Made | None = None,
    workers: int | None = None,
) -> tuple[Layer, ...]:
    """Return the layers of all groups, lowest first; while the sources are compiled, the files are written.

    The last group is the one that changes from image to image: its files and bytecode stand above everybody's. Those
    of the others are in two rows, files below: they need no interpreter, and the engine may take them early.

    Give all groups of an image, so that the wheels are compared with each other; the files of those that
    :func:`find_missing_groups` does not name are not needed and may be absent. Raises ``BuildError``
    for a wheel that is damaged or hostile, and for two wheels that want the same path.
    """
    workshop = _Workshop(groups, python, compiler, store, on_progress, on_made)
    layers = workshop.find_layers() or workshop.make_layers(workers or _count_workers())
    return tuple(layer for layer in layers if layer.diff_id != EMPTY_DIGEST)


def _count_workers() -> int:
    """Return how many layers to write at once: the engine waits for the first, and compiling takes the other cores."""
    return max(1, min(4, (os.cpu_count() or 1) // 2))


class _Workshop:
    """Makes the layers of one image's wheels in several threads."""

    def __init__(
        self,
        groups: Sequence[Sequence[WheelFile]],
        python: PythonTarget,
        compiler: Compiler,
        store: LayerStore,
        on_progress: Progress | None,
        on_made: Made | None,
    ) -> None:
        self._groups = groups
        self._python = python
        self._store = store
        self._on_progress = on_progress
        self._on_made = on_made
        self._bytecode = BytecodeShop(python, compiler, store, self._report)
        self._claiming = threading.Lock()
        self._claims = Claims()
        self._archives = ExitStack()
        self._opened: dict[int, Mapping[str, Placed]] = {}
        self._opening = [threading.Lock() for _ in groups]
        self._stopped = False

    def find_layers(self) -> tuple[Layer, ...] | None:
        """Return all layers in order, if they are there and have been compared with each other."""
        files = [self._store.find(self._key_of(group)) for group in self._groups]
        bytecode = [self._bytecode.find(group) for group in self._groups]
        if self._store.find(self._checked_key()) is None:
            return None
        layers = [layer for layer in _order(files, bytecode) if layer is not None]
        return tuple(layers) if len(layers) == 2 * len(self._groups) else None

    def make_layers(self, workers: int) -> tuple[Layer, ...]:
        """Return all layers in order."""
        numbers = range(len(self._groups))
        with self._archives, ThreadPoolExecutor(workers + 1, "layer") as pool:
            # First of all: it is the longest, and most of it is waiting for the image's interpreter.
            compiled = pool.submit(self._make_bytecode)
            files = [pool.submit(self._make_files, number) for number in numbers]
            try:
                _wait_for(compiled, *files)
            except BaseException:
                self._stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._store.make(self._checked_key(), "check", lambda out: None)
        return tuple(_order([one.result() for one in files], compiled.result()))

    def _tell(self, number: int, layer: Layer, *, is_bytecode: bool) -> None:
        """Say that a layer is there, and where its place is."""
        if self._on_made is None:
            return
        count = len(self._groups)
        places = [(kind, place) for kind in (False, True) for place in range(count)]
        place = _order(places[:count], places[count:]).index((is_bytecode, number))
        self._on_made(place, layer if layer.diff_id != EMPTY_DIGEST else None)

    def _key_of(self, group: Sequence[WheelFile]) -> str:
        return files_key([wheel for wheel, _ in group], self._python)

    def _checked_key(self) -> str:
        return json.dumps(["no overlap", [self._key_of(group) for group in self._groups]])

    def _open(self, number: int) -> Mapping[str, Placed]:
        """Return a group's files; its archives stay open as long as layers are made."""
        with self._opening[number]:
            if number not in self._opened:
                self._opened[number] = self._archives.enter_context(open_wheels(self._groups[number], self._python))
            return self._opened[number]

    def _make_bytecode(self) -> list[Layer]:
        """Compile one group after the other, because each takes all cores; the next is begun before one is stored.

        Of those apart the smallest is first: its archive is open long before the largest, which another thread opens.
        """
        made: dict[int, Layer] = {}

        def keep(number: int, layer: Layer) -> None:
            made[number] = layer
            self._tell(number, layer, is_bytecode=True)

        numbers = range(len(self._groups))
        begun: deque[Callable[[], None]] = deque()
        with ExitStack() as stack:
            for number in (*reversed(numbers[:-1]), *numbers[-1:]):
                begin = self._bytecode.begin(self._groups[number], partial(self._open, number), partial(keep, number))
                begun.append(stack.enter_context(begin))
                if len(begun) > 1:
                    begun.popleft()()
            while begun:
                begun.popleft()()
        return [made[number] for number in numbers]

    def _make_files(self, number: int) -> Layer:
        """Return the layer of one group's files, after a check that it shares no path with the others."""
        group = self._groups[number]
        what = describe_group([wheel for wheel, _ in group])
        key = self._key_of(group)
        layer = self._store.find(key)
        if layer is None:
            layer = self._store.make(key, what, lambda out: self._write(out, number, what))
        else:
            self._claim(self._find_listing(key) or self._list_again(number))
        self._tell(number, layer, is_bytecode=False)
        return layer

    def _list_again(self, number: int) -> Listing:
        """Make up for a listing that was damaged on disk; without the wheels there is nothing to compare."""
        if not all(path.is_file() for _, path in self._groups[number]):
            return {}
        return self._keep_listing(number, self._open(number))

    def _keep_listing(self, number: int, placed: Mapping[str, Placed]) -> Listing:
        """Keep what a layer installs beside it, so that a later build can compare without the wheels."""
        listing = list_placed(placed)
        text = json.dumps(listing).encode()
        self._store.make(_listing_key(self._key_of(self._groups[number])), "listing", lambda out: out.write(text))
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

    def _write(self, out: BinaryIO, number: int, what: str) -> None:
        placed = self._open(number)
        self._claim(self._keep_listing(number, placed))
        total = sum(item.file.size for item in placed.values())
        done = 0
        for size in write_installed(TarWriter(out), placed):
            done += size
            self._report(what, done, total)

    def _report(self, what: str, done: int, total: int) -> None:
        if self._stopped:
            raise Interrupted("stopped")
        if self._on_progress is not None:
            self._on_progress(what, done, total)


def _order(files: Sequence[_T], bytecode: Sequence[_T]) -> list[_T]:
    """Put what belongs to the groups' files and bytecode into the order of the layers."""
    return [*files[:-1], *bytecode[:-1], *files[-1:], *bytecode[-1:]]


def _wait_for(*futures: Future[Any]) -> None:
    """Wait for all, or raise what the first failure raised."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _listing_key(key: str) -> str:
    return json.dumps(["listing", key])
