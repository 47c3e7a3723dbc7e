"""What stands on a terminal."""

import io
import re

import pyte


class Screen:
    """What whoever looks at a terminal sees."""

    def __init__(self, columns=80, lines=24):
        self._screen = pyte.Screen(columns, lines)
        self._screen.set_mode(pyte.modes.LNM)  # as the kernel does, which sends a carriage return before each newline
        self._stream = pyte.Stream(self._screen)

    def take(self, written):
        """Take what is written to the terminal next."""
        self._stream.feed(written)

    @property
    def lines(self):
        """The lines, without the empty ones at the end."""
        shown = [line.rstrip() for line in self._screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown


class Terminal(io.StringIO):
    """A stream that says it is a terminal, with a screen of 80 columns and 24 lines."""

    def __init__(self):
        super().__init__()
        self._screen = Screen()
        self._taken = 0

    def isatty(self):
        return True

    @property
    def lines(self):
        """What stands on the screen, with N for seconds that went by."""
        written = self.getvalue()
        self._screen.take(written[self._taken :])
        self._taken = len(written)
        return [re.sub(r"\b\d+ s\b", "N s", line) for line in self._screen.lines]
