"""Write to standard streams whose reader may go away: a pager or a window that was closed ends no training."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TextIO, cast


def write_bytes(stream: TextIO, data: bytes) -> None:
    """Write and flush; once nobody reads any more, everything is dropped."""
    try:
        stream.buffer.write(data)
        stream.buffer.flush()
    except OSError as exc:
        gone = has_gone(exc, stream)
        silence(stream)
        if not gone:
            raise name_stream(exc, stream) from exc


def has_gone(error: OSError, stream: TextIO) -> bool:
    """Tell whether nobody is there to read: of a pipe, or at a terminal whose window was closed."""
    if isinstance(error, BrokenPipeError):
        return True
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)


def name_stream(error: OSError, stream: TextIO) -> OSError:
    """Return an error of writing that says to what."""
    return OSError(error.errno, error.strerror, "standard error" if stream is sys.stderr else "standard output")


def write_line(stream: TextIO, text: str) -> None:
    """Write a line; characters that cannot be encoded are escaped as JSON and Python do."""
    stream.flush()
    encoding = stream.encoding if stream.isatty() else "utf-8"
    write_bytes(stream, text.encode(encoding, "backslashreplace") + b"\n")


def outlive_terminal(stream: TextIO) -> TextIO:
    """Return the stream for one whose terminal may go away: a window that is closed ends nothing that takes hours."""
    return cast(TextIO, _Terminal(stream))


class _Terminal:
    """What Rich asks of a stream; once nothing can be written any more, everything is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        return self._stream.encoding


def silence(stream: TextIO) -> None:
    """Point a stream at nothing, for its buffer is written once more when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def escape_unprintable(text: str) -> str:
    """Return text of a stranger without what would move the cursor, colour the terminal or break the line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
