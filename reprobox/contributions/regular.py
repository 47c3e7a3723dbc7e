"""Read a file that a stranger's program left: a regular one, no larger than it may be, whatever its name leads to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reprobox.sizes import format_size


class Unreadable(ValueError):
    """Why a file is not read; says it in words that go behind the file's name."""


def read_regular(path: Path, most: int) -> bytes | None:
    """Return the whole file, ``None`` where there is none; raise ``Unreadable`` for a link, a pipe, or too much."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        link = path.is_symlink()
        raise Unreadable("is a link" if link else f"cannot be read: {getattr(exc, 'strerror', exc)}") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("is no regular file")
    with os.fdopen(descriptor, "rb") as stream:
        # One byte more than may be: it can grow while it is read.
        data = stream.read(most + 1)
    if len(data) > most:
        raise Unreadable(f"is larger than {format_size(most)}, the most that is read")
    return data


def decode_text(data: bytes) -> str:
    """Return UTF-8 without its mark; raise ``Unreadable`` for other bytes and for NULs, naming the line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Unreadable(f"is not UTF-8: byte 0x{data[exc.start]:02x} in line {_line_of(data, exc.start)}") from exc
    if (position := data.find(b"\0")) >= 0:
        raise Unreadable(f"is no text: a NUL in line {_line_of(data, position)}")
    return text


def _line_of(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1
