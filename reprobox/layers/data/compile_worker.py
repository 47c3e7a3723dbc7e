"""Compile Python sources with the interpreter that runs this; it stands alone, and is sent as ``python -c`` too.

Python 3.6+, standard library only. With PYTHONHASHSEED=0 in the environment, so that sets have one order:

    python -s -S -B compile_worker.py FOLDER...    every .py below, into __pycache__
    python -s -S -B -c "<this text>"               frames from stdin, frames to stdout

Numbers are of 4 bytes, big-endian. A frame in is any number, the lengths of path and source, path, source; a frame
out is the same number, the bytecode's length, bytecode: in no order, each as soon as it is made.
A length of 0xFFFFFFFF in an answer means that the source does not compile.
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


def read_fully(descriptor, size):
    """Return so many bytes, fewer only at the end."""
    parts = []
    while size:
        data = os.read(descriptor, min(size, 1 << 20))
        if not data:
            break
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def write_fully(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Turn:
    """Lets one process at a time do something: a pipe with one byte in it, which is with whoever has the turn."""

    def __init__(self):
        self.read, self.write = os.pipe()
        os.write(self.write, b"x")

    def __enter__(self):
        os.read(self.read, 1)

    def __exit__(self, *error):
        os.write(self.write, b"x")


class Stream:
    """Sources from stdin, read by whichever process is free; answers to stdout."""

    limit = None

    def __init__(self):
        self.reading, self.writing = Turn(), Turn()

    def feed(self):
        pass

    def take(self):
        with self.reading:
            head = read_fully(0, 12)
            if not head:
                return None
            if len(head) == 12:
                number, length, size = struct.unpack(">III", head)
                path, source = read_fully(0, length), read_fully(0, size)
        if len(head) < 12 or len(path) < length or len(source) < size:
            raise EOFError("the sources end in the middle")
        return number, path, source

    def answer(self, number, path, data):
        size = FAILED if data is None else len(data)
        with self.writing:
            write_fully(1, struct.pack(">II", number, size) + (data or b""))


class Folders:
    """Sources below some folders, compiled in place."""

    def __init__(self, roots):
        self.sources = []
        for root in roots:
            for folder, _, names in os.walk(root):
                if os.path.basename(folder) != "__pycache__":
                    self.sources += [os.path.join(folder, name) for name in names if name.endswith(".py")]
        self.sources.sort()
        self.limit = len(self.sources)
        self.numbers, self.numbers_write = os.pipe()

    def feed(self):
        os.close(self.numbers)
        try:
            for number in range(len(self.sources)):
                os.write(self.numbers_write, struct.pack(">I", number))
        except BrokenPipeError:
            pass  # every process is dead; waiting for them says so
        os.close(self.numbers_write)

    def take(self):
        if self.numbers_write is not None:
            os.close(self.numbers_write)  # the parent's alone: else no process would see its end
            self.numbers_write = None
        token = os.read(self.numbers, 4)
        if not token:
            return None
        (number,) = struct.unpack(">I", token)
        with open(self.sources[number], "rb") as stream:
            return number, os.fsencode(self.sources[number]), stream.read()

    def answer(self, number, path, data):
        if data is None:
            return
        folder, name = os.path.split(os.fsdecode(path))
        cache = os.path.join(folder, "__pycache__")
        os.makedirs(cache, exist_ok=True)
        with open(os.path.join(cache, "%s.%s.pyc" % (name[:-3], sys.implementation.cache_tag)), "wb") as stream:
            stream.write(data)


def work(task):
    """Compile one source after the other."""
    while True:
        taken = task.take()
        if taken is None:
            return
        number, path, source = taken
        try:
            data = compile_source(path, source)
        except Exception:  # compileall skips what does not compile, and so does pip
            data = None
        task.answer(number, path, data)


def start_processes(task):
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    children = set()
    for _ in range(count if task.limit is None else min(count, task.limit)):
        child = os.fork()
        if not child:
            status = 1
            try:
                work(task)
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


def main():
    warnings.simplefilter("ignore")
    gc.disable()
    task = Folders(sys.argv[1:]) if len(sys.argv) > 1 else Stream()
    children = start_processes(task)
    task.feed()
    wait_for(children)


main()
