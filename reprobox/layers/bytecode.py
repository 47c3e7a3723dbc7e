"""Have the image's own interpreter compile sources, with bytes that depend on nothing but source, path and Python."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
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
Wait = Callable[[], None]
"""Returns when all that was begun is made; raises what became of it else."""


class Compiler(Protocol):
    """Turns sources into bytecode files."""

    @property
    def identity(self) -> str:
        """Everything the bytecode depends on beside source and path."""

    def begin(self, sources: Mapping[str, bytes], on_made: OnMade) -> Wait:
        """Compile sources by their absolute paths in the image; ``on_made`` gets each of them once, in no order.

        They are begun in the order of the mapping, after those that were begun before, whether or not these are made.
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
        self._questions = _Questions()
        self._answers = _Answers()
        self._complaints: deque[bytes] = deque(maxlen=64)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ended = "not all were answered"

    def begin(self, sources: Mapping[str, bytes], on_made: OnMade) -> Wait:
        """See :class:`Compiler`; waiting raises ``BuildError`` when the interpreter fails or leaves a source out."""
        batch = _Batch(sources, on_made)
        if not sources:
            return lambda: None
        self._answers.expect(batch)
        self._questions.ask(batch)
        self.start()

        def wait() -> None:
            if not self._answers.wait(batch):
                raise self._explain(len(sources))

        return wait

    def start(self) -> None:
        """Have the container come up, where there is something else to do before the first call."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compile", daemon=True)
                self._thread.start()

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


class _Batch:
    """Sources that were asked for together, and who wants to know."""

    def __init__(self, sources: Mapping[str, bytes], on_made: OnMade) -> None:
        self.sources = sources
        self.on_made = on_made
        self.first = 0
        """The number of the first source; the others' follow in their order."""
        self.left = dict(enumerate(sources))
        """The paths that are not answered yet, each by its place."""


class _Questions(io.RawIOBase):
    """Batches of sources as one stream of frames, made as they are read; a read waits for the next batch."""

    failure: BaseException | None = None
    """Why a source could not be had: the stream has ended there."""

    def __init__(self) -> None:
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._frames: Iterator[bytes] = iter(())
        self._rest = memoryview(b"")

    def ask(self, batch: _Batch) -> None:
        """Add a batch."""
        self._batches.put(batch)

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
                if (filled and self._batches.empty()) or not self._next_batch():
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
        batch = self._batches.get()
        if batch is None or self.failure is not None:
            self._batches.put(None)  # the stream has ended for every later read too
            return False
        self._frames = _frames_of(batch)
        return True


def _frames_of(batch: _Batch) -> Iterator[bytes]:
    for number, (path, source) in enumerate(batch.sources.items(), batch.first):
        name = path.encode("utf-8", "surrogateescape")
        yield struct.pack(">III", number, len(name), len(source)) + name
        if source:
            yield source


class _Answers:
    """Takes the worker's output in pieces of any size and finds the frames in it."""

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._asked = 0
        self._news = threading.Condition()
        self._ended = False
        self._buffer = bytearray()

    def expect(self, batch: _Batch) -> None:
        """Number a batch's sources; before they are asked for."""
        with self._news:
            batch.first = self._asked
            self._asked += len(batch.left)
            self._batches.append(batch)

    def wait(self, batch: _Batch) -> bool:
        """Return whether all of a batch was answered, when it is or nothing comes any more."""
        with self._news:
            self._news.wait_for(lambda: not batch.left or self._ended)
            return not batch.left

    def end(self) -> None:
        """Say that no more will come."""
        with self._news:
            self._ended = True
            self._news.notify_all()

    def write(self, data: bytes) -> int:
        """Take the next piece; raises ``BuildError`` for an answer that nobody asked for."""
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
        number, size = cast(tuple[int, int], struct.unpack_from(">II", self._buffer, start))
        end = start + 8 + (0 if size == _FAILED else size)
        if len(self._buffer) < end:
            return None
        self._answer(number, None if size == _FAILED else bytes(self._buffer[start + 8 : end]))
        return end

    def _answer(self, number: int, data: bytes | None) -> None:
        with self._news:
            batch = next((one for one in self._batches if number - one.first in one.left), None)
        if batch is None or data == b"":
            raise BuildError(
                "the image's Python could not compile: what it answers is no bytecode of what it was given"
            )
        batch.on_made(batch.left[number - batch.first], data)
        # Only now: whoever waits goes on when nothing is left, and uses what on_made has kept.
        del batch.left[number - batch.first]
        if not batch.left:
            with self._news:
                self._batches.remove(batch)
                self._news.notify_all()
