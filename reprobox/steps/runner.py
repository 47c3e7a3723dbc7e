"""Layers that a step run in a container makes: the step, and what it changed."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, Self, cast

from reprobox.engines.base import Engine
from reprobox.engines.owners import name_temporary
from reprobox.errors import BuildError, EngineError
from reprobox.image import OnProgress, assemble_image, load_image
from reprobox.layers.model import EPOCH, Layer
from reprobox.layers.state import collect_difference
from reprobox.layers.store import LayerStore
from reprobox.layers.tree import Tree, find_differences

STEP_ENV = {
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "TZ": "UTC",
}
"""The environment of every step, here and in a rendered Dockerfile."""
_TAIL = 4000


class StepRunner:
    """Runs steps on stacks of layers in an engine; forgets the images it made for them when closed."""

    def __init__(
        self,
        engine: Engine,
        store: LayerStore,
        *,
        architecture: str = "amd64",
        timeout: float = 3600,
        on_output: Callable[[bytes], None] = lambda data: None,
    ) -> None:
        self.store = store
        self._engine = engine
        self._architecture = architecture
        self._timeout = timeout
        self._on_output = on_output
        self._tags: dict[tuple[str, ...], str] = {}
        self._exports: list[Generator[bytes, None, None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for chunks in self._exports:
            chunks.close()  # one that nobody read to its end still has its container, and that its image
        for tag in tuple(self._tags.values()):
            with suppress(EngineError):  # tidying hides no failure; the next process to connect does it else
                self._engine.remove_image(tag)
        self._tags.clear()

    def export(
        self,
        lower: Sequence[Layer],
        argv: Sequence[str],
        *,
        what: str,
        files: Tree | None = None,
        env: Mapping[str, str] = STEP_ENV,
    ) -> Iterator[bytes]:
        """Run ``argv`` on ``lower`` with ``files`` unpacked at the root; yield the whole root file system as a tar."""
        chunks = self._export(lower, argv, what, files, env)
        self._exports.append(chunks)
        return chunks

    def _export(
        self, lower: Sequence[Layer], argv: Sequence[str], what: str, files: Tree | None, env: Mapping[str, str]
    ) -> Generator[bytes, None, None]:
        tail = bytearray()

        def take(data: bytes) -> None:
            tail.extend(data)
            del tail[:-_TAIL]
            self._on_output(data)

        image = self.load(lower)
        chunks = _tar_chunks(files) if files is not None else None
        try:
            yield from self._engine.export_step(
                image, argv, files=chunks, env=env, on_output=take, timeout=self._timeout
            )
        except BuildError as exc:
            said = bytes(tail).decode("utf-8", "replace").strip()
            raise BuildError(f"{what}: {exc.message}" + (f"\n{said}" if said else ""), hint=exc.hint) from exc

    def read_output(
        self,
        lower: Sequence[Layer],
        argv: Sequence[str],
        *,
        what: str,
        env: Mapping[str, str] = STEP_ENV,
        stdin: BinaryIO | None = None,
        timeout: float = 120,
    ) -> bytes:
        """Run ``argv`` on ``lower`` and return its standard output; raise ``BuildError`` when it fails."""
        out, said = io.BytesIO(), bytearray()
        code = self._engine.run_step(
            self.load(lower), argv, stdin=stdin, on_output=said.extend, stdout=out, env=env, timeout=timeout
        )
        if code:
            text = bytes(said[-_TAIL:]).decode("utf-8", "replace").strip()
            raise BuildError(f"{what}: exit code {code}" + (f"\n{text}" if text else ""))
        return out.getvalue()

    def load(self, lower: Sequence[Layer], on_progress: OnProgress = lambda sent, total: None) -> str:
        """Have the engine hold an image of these layers until the runner is closed; return its name."""
        key = tuple(layer.diff_id for layer in lower)
        if key not in self._tags:
            tag = name_temporary("reprobox/step")
            image = assemble_image(lower, architecture=self._architecture)
            load_image(self._engine, image, tag, self.store, on_progress)
            self._tags[key] = tag
        return self._tags[key]


def describe_run_step(command: str) -> str:
    """Return a step's layer's name for people."""
    return f"run: {command.strip().partition(chr(10))[0][:60]}"


def find_run_layer(command: str, lower: Sequence[Layer], store: LayerStore) -> Layer | None:
    """Return the layer of a step that has been made before on these layers."""
    return store.find(_run_layer_key(command, lower))


def _run_layer_key(command: str, lower: Sequence[Layer]) -> str:
    environment = " ".join(f"{name}={value}" for name, value in STEP_ENV.items())
    return f"run {environment}\n{command}\non " + " ".join(layer.diff_id for layer in lower)


def make_run_layer(
    command: str, lower: Sequence[Layer], steps: StepRunner, on_warning: Callable[[str], None] | None = None
) -> Layer:
    """Return what one shell line of the spec changes, run as root in ``/`` without network.

    With ``on_warning`` the line is run twice, and told about where the two runs left different files.
    """
    key, what = _run_layer_key(command, lower), describe_run_step(command)

    def collect(tree: Tree) -> None:
        chunks = steps.export(lower, ("/bin/sh", "-e", "-c", command), what=what)
        collect_difference(chunks, lower, tree, steps.store, what)

    def write(out: BinaryIO) -> None:
        with Tree(steps.store.scratch) as tree, Tree(steps.store.scratch) as again:
            collect(tree)
            if on_warning is not None:
                collect(again)
                _warn_of_chance(what, find_differences(tree, again), on_warning)
            tree.write(out)

    return steps.store.make(key, what, write)


def _warn_of_chance(what: str, paths: Sequence[str], on_warning: Callable[[str], None]) -> None:
    if paths:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        on_warning(
            f"{what}: run twice, it left different files ({', '.join(f'/{path}' for path in paths[:3])}{more});"
            " whoever builds this image elsewhere will get another digest"
        )


class _Chunks:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(data)
        return len(data)


def _tar_chunks(files: Tree) -> Iterator[bytes]:
    chunks = _Chunks()
    files.write(cast(BinaryIO, chunks))
    yield from chunks.parts
