"""Have the image's own interpreter compile sources, with bytes that depend on nothing but source, path and Python."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import BinaryIO, Protocol, cast

from reprobox.engines.base import StepEngine
from reprobox.errors import BuildError

_WORKER = Path(__file__).parent / "data" / "compile_worker.py"
_FAILED = 0xFFFFFFFF
_TIMEOUT = 3600.0
_PATIENCE = 5.0
"""Seconds that a failed build waits for the container's end."""
_KEEP = 8192
"""Bytes of the worker's complaints that an error shows."""


OnMade = Callable[[str, bytes | None], None]
"""Gets a source's path and the bytes of its ``.pyc``; ``None``: it does not compile."""


class Compiler(Protocol):
    """Turns sources into bytecode files."""

    @property
    def identity(self) -> str:
        """Everything the bytecode depends on beside source and path."""

    def compile(self, sources: Mapping[str, bytes], on_made: OnMade) -> None:
        """Compile sources by their absolute paths in the image; ``on_made`` gets each of them once, in no order.

        Neither the sources nor the bytecode are held: a source is looked up when its turn has come.
        """


class ContainerCompiler(AbstractContextManager["ContainerCompiler"]):
    """Runs the image's interpreter in one container, from the first call to the end of the block, on all its cores."""

    def __init__(self, runner: StepEngine, image: str, executable: str, identity: str) -> None:
        """``image`` holds ``executable``; ``identity`` names that very build of the interpreter.

        A version is not enough: between two Debian updates of 3.11.2, four of 6,000 modules got other bytes, because
        which one-letter strings are interned follows from the variable names in Python's own frozen modules.
        """
        self._runner = runner
        self._image = image
        self._executable = executable
        self.identity = compiler_identity(identity)
        self._calls = threading.Lock()
        self._questions = _Questions()
        self._answers = _Answers()
        self._complaints: deque[bytes] = deque(maxlen=64)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ended = "not all were answered"

    def compile(self, sources: Mapping[str, bytes], on_made: OnMade) -> None:
        """See :class:`Compiler`; raises ``BuildError`` when the interpreter fails or does not answer for a source."""
        if not sources:
            return
        with self._calls:
            self._answers.expect(on_made)
            self._questions.ask(sources)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compile", daemon=True)
                self._thread.start()
            found = self._answers.wait()
        if found is None or found != sources.keys():
            raise self._explain(len(sources))

    def finish(self) -> None:
        """Let the container end, without waiting for it: no call comes any more."""
        self._questions.finish()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        if self._thread is not None:
            self._thread.join(_PATIENCE if error is not None else None)

    def _run(self) -> None:
        try:
            code = self._runner.run_step(
                self._image,
                [self._executable, "-s", "-S", "-B", "-c", read_worker()],
                stdin=cast(BinaryIO, self._questions),
                on_output=self._complaints.append,
                stdout=cast(BinaryIO, self._answers),
                env={"PYTHONHASHSEED": "0"},  # decides the order of sets in bytecode before Python 3.11
                timeout=_TIMEOUT,
            )
            self._ended = f"exit code {code}"
        except BaseException as exc:  # whoever waits for an answer raises it
            self._failure = exc
        finally:
            self._questions.finish()
            self._answers.end()

    def _explain(self, count: int) -> BaseException:
        """Return why an answer for ``count`` sources is missing."""
        failure = self._failure or self._questions.failure
        if failure is not None:
            return failure
        said = b"".join(self._complaints)[-_KEEP:].decode("utf-8", "replace").strip()
        return BuildError(
            f"{self._executable} could not compile {count} modules ({self._ended})" + (f":\n{said}" if said else ""),
            hint="is it a CPython 3.6 or newer?",
        )


def compiler_identity(interpreter: str) -> str:
    """Return what :class:`ContainerCompiler` has as identity, without a container to compile in."""
    return f"{interpreter} {hashlib.sha256(read_worker().encode()).hexdigest()[:16]}"


@cache
def read_worker() -> str:
    """Return the program that runs in the image's interpreter."""
    return _WORKER.read_text("utf-8")


class _Questions(io.RawIOBase):
    """Batches of sources as one stream of frames, made as they are read; a read waits for the next batch."""

    failure: BaseException | None = None
    """Why a source could not be had: the stream has ended there."""

    def __init__(self) -> None:
        self._batches: SimpleQueue[Mapping[str, bytes] | None] = SimpleQueue()
        self._frames: Iterator[bytes] = iter(())
        self._rest = memoryview(b"")

    def ask(self, sources: Mapping[str, bytes]) -> None:
        """Add a batch."""
        self._batches.put(sources)

    def finish(self) -> None:
        """Let the stream end after the last batch."""
        self._batches.put(None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                self._rest = memoryview(self._next_frame())
            if not self._rest:
                if filled or not self._next_batch():
                    break  # what is there is wanted now
                continue
            part = self._rest[: len(buffer) - filled]
            buffer[filled : filled + len(part)] = part
            self._rest = self._rest[len(part) :]
            filled += len(part)
        return filled

    def _next_frame(self) -> bytes:
        """Return what comes next, nothing at the batch's end; whoever reads here could not say what is wrong."""
        try:
            return next(self._frames, b"")
        except BaseException as exc:
            self.failure = exc
            self.finish()
            return b""

    def _next_batch(self) -> bool:
        sources = self._batches.get()
        if sources is None:
            self._batches.put(None)  # the stream has ended for every later read too
            return False
        self._frames = _frames_of(sources)
        return True


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
        self._found: set[str] = set()
        self._on_made: OnMade = lambda path, data: None
        self._news = threading.Condition()
        self._whole = self._ended = False
        self._buffer = bytearray()

    def expect(self, on_made: OnMade) -> None:
        """Begin a batch."""
        with self._news:
            self._found, self._on_made, self._whole = set(), on_made, False

    def wait(self) -> Set[str] | None:
        """Return which sources were answered for when the batch is whole; ``None`` when it will not be."""
        with self._news:
            self._news.wait_for(lambda: self._whole or self._ended)
            return self._found if self._whole else None

    def end(self) -> None:
        """Say that no more will come."""
        with self._news:
            self._ended = True
            self._news.notify_all()

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
        if len(self._buffer) - start < 8:
            return None
        length, size = cast(tuple[int, int], struct.unpack_from(">II", self._buffer, start))
        if not length:
            with self._news:
                self._whole = True
                self._news.notify_all()
            return start + 8
        middle = start + 8 + length
        end = middle + (0 if size == _FAILED else size)
        if len(self._buffer) < end:
            return None
        path = self._buffer[start + 8 : middle].decode("utf-8", "surrogateescape")
        self._found.add(path)
        self._on_made(path, None if size == _FAILED else bytes(self._buffer[middle:end]))
        return end
