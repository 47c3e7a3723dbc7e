"""Compile Python sources with the interpreter that runs this; sent to it as ``python -c``, so it stands alone.

Python 3.7+, standard library only, 3.6 syntax. Reads frames from stdin and writes frames to stdout:
4 bytes path length, 4 bytes data length (big-endian), path, data; a path length of 0 ends the stream.
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

FAILED = 0xFFFFFFFF
UNCHECKED_HASH = 1


def read_exactly(stream, size):
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the sources end in the middle")
    return data


def read_sources(stream):
    """Return all sources, largest first, so that no worker is left with a large one at the end."""
    sources = []
    while True:
        length, size = struct.unpack(">II", read_exactly(stream, 8))
        if not length:
            break
        path = read_exactly(stream, length)
        sources.append((path, read_exactly(stream, size)))
    sources.sort(key=lambda source: (-len(source[1]), source[0]))
    return sources


def compile_source(path, source):
    """Return the bytes of an unchecked-hash .pyc file that are the same whatever was compiled before.

    What the compiler makes depends on what else the process holds: which strings are interned (all that ever
    were, since 3.12) decides which constants are merged and which objects marshal marks as shared. So: write
    without sharing (marshal version 2), read that twice, so that each interned string is certain to be shared,
    and write one of the two.
    """
    code = compile(source, sys.intern(os.fsdecode(path)), "exec", dont_inherit=True, optimize=0)
    try:
        plain = marshal.dumps(code, 2)
    except ValueError:  # a constant that version 2 does not know (a slice, since 3.14)
        plain = marshal.dumps(code)
    twin = marshal.loads(plain)
    body = marshal.dumps(marshal.loads(plain))
    del twin
    source_hash = _imp.source_hash(_bootstrap_external._RAW_MAGIC_NUMBER, source)
    return _bootstrap_external.MAGIC_NUMBER + struct.pack("<I", UNCHECKED_HASH) + source_hash + body


def write_fully(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def work(sources, numbers, turn_read, turn_write):
    """Compile the sources whose numbers come through the pipe; answer one at a time."""
    while True:
        token = os.read(numbers, 4)
        if not token:
            return
        path, source = sources[struct.unpack(">I", token)[0]]
        try:
            data = compile_source(path, source)
            size = len(data)
        except Exception:  # compileall skips what does not compile, and so does pip
            data, size = b"", FAILED
        os.read(turn_read, 1)
        write_fully(1, struct.pack(">II", len(path), size) + path + data)
        os.write(turn_write, b"x")


def main():
    warnings.simplefilter("ignore")
    sys.stdout.flush()
    sources = read_sources(sys.stdin.buffer)
    gc.disable()
    numbers, numbers_write = os.pipe()
    turn_read, turn_write = os.pipe()
    os.write(turn_write, b"x")
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    children = set()
    for _ in range(min(count, len(sources))):
        child = os.fork()
        if not child:
            status = 1
            try:
                os.close(numbers_write)
                work(sources, numbers, turn_read, turn_write)
                status = 0
            finally:
                os._exit(status)
        children.add(child)
    os.close(numbers)
    try:
        for number in range(len(sources)):
            os.write(numbers_write, struct.pack(">I", number))
    except BrokenPipeError:
        pass  # every worker is dead; the loop below says so
    os.close(numbers_write)
    while children:
        child, status = os.wait()
        children.discard(child)
        if status:
            for other in children:
                os.kill(other, 9)
            raise SystemExit("a compiling process ended with status %d" % status)
    write_fully(1, struct.pack(">II", 0, 0))


main()
