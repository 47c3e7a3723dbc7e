"""Compile Python sources with the interpreter that runs this; it stands alone, and is sent as ``python -c`` too.

Python 3.6+, standard library only. With PYTHONHASHSEED=0 in the environment, so that sets have one order:

    python -s -S -B compile_worker.py FOLDER...    every .py below, into __pycache__
    python -s -S -B -c "<this text>"               frames from stdin, frames to stdout:

4 bytes path length, 4 bytes data length (big-endian), path, data; a path length of 0 ends a batch, and after the
last one comes the end of the stream. A batch is answered when all of it is there.
A data length of 0xFFFFFFFF in an answer means that the file does not compile.
"""

# ruff: noqa
# mypy: ignore-errors

import sys

sys.path[:] = [folder for folder in sys.path if folder]  # "-c" puts the working directory first

import _imp
import gc
import marshal
import os
import struct
import warnings
from importlib import _bootstrap_external

ONE_CHARACTER = [sys.intern(chr(number)) for number in range(256)] + [sys.intern("")]
"""There is one object of each of these, for good; whether it is interned must not depend on what was compiled."""
FAILED = 0xFFFFFFFF
UNCHECKED_HASH = 1
EPOCH = 315532800
"""The time of every file in a layer: before 3.7 bytecode goes by its source's."""


def read_exactly(stream, size):
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the sources end in the middle")
    return data


def read_frames(stream):
    while True:
        length, size = struct.unpack(">II", read_exactly(stream, 8))
        if not length:
            return
        path = read_exactly(stream, length)
        yield path, read_exactly(stream, size)


def compile_source(path, source):
    """Return the bytes of a .pyc file, one with an unchecked hash where there are such, whatever was compiled before.

    What the compiler makes depends on what else the process holds: which strings are interned (all that ever
    were, since 3.12) decides which constants are merged and which objects marshal marks as shared. So: write
    without sharing (marshal version 2), read that, and write it again while the first code object still holds its
    strings, so that each interned one is certain to be shared (https://github.com/python/cpython/issues/73894).
    """
    code = compile(source, sys.intern(path.decode("utf-8", "surrogateescape")), "exec", dont_inherit=True, optimize=0)
    try:
        plain = marshal.dumps(code, 2)
    except ValueError:  # a constant that version 2 does not know (a slice, since 3.14)
        plain = marshal.dumps(code)
    body = marshal.dumps(marshal.loads(plain))
    del code  # not before: see above
    if hasattr(_imp, "source_hash"):
        source_hash = _imp.source_hash(_bootstrap_external._RAW_MAGIC_NUMBER, source)
        head = struct.pack("<I", UNCHECKED_HASH) + source_hash
    else:
        head = struct.pack("<II", EPOCH, len(source) & 0xFFFFFFFF)
    return _bootstrap_external.MAGIC_NUMBER + head + body


def write_fully(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Stream:
    """Sources from stdin, largest first so that no process is left with a large one at the end; answers to stdout."""

    def __init__(self):
        self.sources = sorted(read_frames(sys.stdin.buffer), key=lambda source: (-len(source[1]), source[0]))
        self.turn_read, self.turn_write = os.pipe()
        os.write(self.turn_write, b"x")

    def read(self, number):
        return self.sources[number]

    def answer(self, path, data):
        size = FAILED if data is None else len(data)
        os.read(self.turn_read, 1)  # one process at a time may write
        write_fully(1, struct.pack(">II", len(path), size) + path + (data or b""))
        os.write(self.turn_write, b"x")

    def finish(self):
        os.close(self.turn_read)
        os.close(self.turn_write)
        write_fully(1, struct.pack(">II", 0, 0))


class Folders:
    """Sources below some folders, compiled in place."""

    def __init__(self, roots):
        self.sources = []
        for root in roots:
            for folder, _, names in os.walk(root):
                if os.path.basename(folder) != "__pycache__":
                    self.sources += [os.path.join(folder, name) for name in names if name.endswith(".py")]
        self.sources.sort()

    def read(self, number):
        path = self.sources[number]
        with open(path, "rb") as stream:
            return os.fsencode(path), stream.read()

    def answer(self, path, data):
        if data is None:
            return
        folder, name = os.path.split(os.fsdecode(path))
        cache = os.path.join(folder, "__pycache__")
        os.makedirs(cache, exist_ok=True)
        with open(os.path.join(cache, "%s.%s.pyc" % (name[:-3], sys.implementation.cache_tag)), "wb") as stream:
            stream.write(data)

    def finish(self):
        pass


def work(task, numbers):
    """Compile the sources whose numbers come through the pipe."""
    while True:
        token = os.read(numbers, 4)
        if not token:
            return
        path, source = task.read(struct.unpack(">I", token)[0])
        try:
            data = compile_source(path, source)
        except Exception:  # compileall skips what does not compile, and so does pip
            data = None
        task.answer(path, data)


def start_processes(task, numbers, numbers_write):
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    children = set()
    for _ in range(min(count, len(task.sources))):
        child = os.fork()
        if not child:
            status = 1
            try:
                os.close(numbers_write)
                work(task, numbers)
                status = 0
            finally:
                if status:
                    sys.excepthook(*sys.exc_info())
                os._exit(status)
        children.add(child)
    return children


def wait_for(children):
    while children:
        child, status = os.wait()
        children.discard(child)
        if status:
            for other in children:
                os.kill(other, 9)
            raise SystemExit("a compiling process ended with status %d" % status)


def compile_all(task):
    numbers, numbers_write = os.pipe()
    children = start_processes(task, numbers, numbers_write)
    os.close(numbers)
    try:
        for number in range(len(task.sources)):
            os.write(numbers_write, struct.pack(">I", number))
    except BrokenPipeError:
        pass  # every process is dead; waiting for them says so
    os.close(numbers_write)
    wait_for(children)
    task.finish()


def main():
    warnings.simplefilter("ignore")
    gc.disable()
    if len(sys.argv) > 1:
        compile_all(Folders(sys.argv[1:]))
        return
    while sys.stdin.buffer.peek(1):
        compile_all(Stream())


main()
