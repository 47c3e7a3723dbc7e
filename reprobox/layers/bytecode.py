"""Have the image's own interpreter compile sources, with bytes that depend on nothing but source, path and Python."""

from __future__ import annotations

import hashlib
import io
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from reprobox.engines.base import Runner
from reprobox.errors import BuildError

_WORKER = Path(__file__).parent / "data" / "compile_worker.py"
_FAILED = 0xFFFFFFFF
_TIMEOUT = 3600.0
_KEEP = 8192
"""Bytes of the worker's complaints that an error shows."""


class Compiler(Protocol):
    """Turns sources into bytecode files."""

    @property
    def identity(self) -> str:
        """Everything the bytecode depends on beside source and path."""

    def compile(self, sources: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Return the ``.pyc`` bytes of every source that compiles, by its absolute path in the image."""


class ContainerCompiler:
    """Runs the image's interpreter in one container per call, on all its cores."""

    def __init__(self, runner: Runner, image: str, executable: str, identity: str) -> None:
        """``image`` holds ``executable``; ``identity`` names that very build of the interpreter.

        A version is not enough: between two Debian updates of 3.11.2, four of 6,000 modules got other bytes, because
        which one-letter strings are interned follows from the variable names in Python's own frozen modules.
        """
        self._runner = runner
        self._image = image
        self._executable = executable
        self.identity = compiler_identity(identity)

    def compile(self, sources: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """See :class:`Compiler`; raises ``BuildError`` when the interpreter fails or does not answer for a source."""
        if not sources:
            return {}
        answers = _Answers()
        complaints: deque[bytes] = deque(maxlen=64)
        code = self._runner.run_step(
            self._image,
            [self._executable, "-s", "-S", "-B", "-c", read_worker()],
            stdin=cast(BinaryIO, io.BufferedReader(_Questions(sources), 1 << 20)),
            on_output=complaints.append,
            stdout=cast(BinaryIO, answers),
            env={"PYTHONHASHSEED": "0"},  # decides the order of sets in bytecode before Python 3.11
            timeout=_TIMEOUT,
        )
        if code or not answers.finished or answers.found.keys() != sources.keys():
            said = b"".join(complaints)[-_KEEP:].decode("utf-8", "replace").strip()
            raise BuildError(
                f"{self._executable} could not compile {len(sources)} modules (exit code {code})"
                + (f":\n{said}" if said else ""),
                hint="is it a CPython 3.7 or newer?",
            )
        return {path: data for path, data in answers.found.items() if data is not None}


def compiler_identity(interpreter: str) -> str:
    """Return what :class:`ContainerCompiler` has as identity, without a container to compile in."""
    return f"{interpreter} {hashlib.sha256(read_worker().encode()).hexdigest()[:16]}"


@cache
def read_worker() -> str:
    """Return the program that runs in the image's interpreter."""
    return _WORKER.read_text("utf-8")


class _Questions(io.RawIOBase):
    """The sources as a stream of frames, made as they are read."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self._frames = _frames_of(sources)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._frames, b""))
        part = self._rest[: len(buffer)]
        buffer[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)


def _frames_of(sources: Mapping[str, bytes]) -> Iterator[bytes]:
    for path, source in sources.items():
        name = path.encode("utf-8", "surrogateescape")
        yield struct.pack(">II", len(name), len(source)) + name
        if source:
            yield source
    yield struct.pack(">II", 0, 0)


class _Answers:
    """Takes the worker's output in pieces of any size and finds the frames in it."""

    def __init__(self) -> None:
        self.found: dict[str, bytes | None] = {}
        self.finished = False
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        """Take the next piece."""
        self._buffer += data
        start = 0
        while (end := self._read_frame(start)) is not None:
            start = end
        del self._buffer[:start]
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def _read_frame(self, start: int) -> int | None:
        if self.finished or len(self._buffer) - start < 8:
            return None
        length, size = cast(tuple[int, int], struct.unpack_from(">II", self._buffer, start))
        if not length:
            self.finished = True
            return start + 8
        middle = start + 8 + length
        end = middle + (0 if size == _FAILED else size)
        if len(self._buffer) < end:
            return None
        path = self._buffer[start + 8 : middle].decode("utf-8", "surrogateescape")
        self.found[path] = None if size == _FAILED else bytes(self._buffer[middle:end])
        return end
