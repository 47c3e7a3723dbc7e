"""A file as ``pickletools`` reads it: forward, in bounded amounts."""

from __future__ import annotations

from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened

LONGEST_LINE = 1 << 16
_LONGEST_ARGUMENT = 1 << 26


class Tape:
    """Has the two methods of a stream that ``pickletools`` calls."""

    def __init__(self, file: Opened, start: int = 0) -> None:
        self._file = file
        self._buffer = b""
        self._start = start
        self._at = 0

    def tell(self) -> int:
        """Return the place in the file."""
        return self._start + self._at

    def skip(self, size: int) -> None:
        """Go on by ``size`` bytes, which must be there."""
        if not 0 <= size <= self._file.size - self.tell():
            raise NotComparable("ends_early")
        self._start, self._at, self._buffer = self.tell() + size, 0, b""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end."""
        if not 0 <= size <= _LONGEST_ARGUMENT:
            raise NotComparable("value_long")
        data = self._peek(size)
        self._at += len(data)
        return data

    def readline(self) -> bytes:
        """Return a line with its end."""
        size = self._peek(LONGEST_LINE).find(b"\n") + 1
        if not size:
            raise NotComparable("ends_early_or_long")
        return self.read(size)

    def _peek(self, size: int) -> bytes:
        if self._at + size > len(self._buffer) and self._start + len(self._buffer) < self._file.size:
            self._start, self._at = self.tell(), 0
            self._buffer = self._file.read_at(self._start, size + (1 << 20))
        return self._buffer[self._at : self._at + size]
