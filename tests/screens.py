"""What stands on a terminal."""

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
