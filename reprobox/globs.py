"""Match paths with patterns in time that no pattern can blow up: both may be a stranger's."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import takewhile


class Glob:
    """A pattern that names paths and, as folders, all that is in them, as an anchored line of git's ignore files does.

    ``*``, ``?`` and ``[…]`` stay within one name, ``**`` stands for any number of folders. There are no escapes.
    """

    def __init__(self, pattern: str) -> None:
        inside = "/**" if pattern.endswith("/") else ""
        self._parts = (pattern.strip("/") + inside).split("/")
        # Of the path before: its names, and the places in the pattern that are reached with each of its folders.
        self._names: list[str] = []
        self._reached = [frozenset(self._pass_over(0))]

    def names(self, path: str) -> bool:
        """Whether it names ``path``, or a folder that it lies in; quickest where paths come sorted."""
        names = path.split("/")
        known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(names, self._names, strict=False)))
        del self._reached[known + 1 :]
        for name in names[known:]:
            self._reached.append(frozenset(self._advance(name)))
        self._names = names
        return len(self._parts) in self._reached[-1]

    def _advance(self, name: str) -> Iterator[int]:
        """Yield the places that are reached with one more name."""
        end = len(self._parts)
        for place in self._reached[-1]:
            if place == end:
                yield end
            elif self._parts[place] == "**":
                yield from self._pass_over(place)
                if place + 1 == end:
                    yield end
            elif _match_part(self._parts[place], name):
                yield from self._pass_over(place + 1)

    def _pass_over(self, place: int) -> Iterator[int]:
        """Yield a place, and those after it while a ``**`` there may stand for no folder."""
        yield place
        while place + 1 < len(self._parts) and self._parts[place] == "**":
            place += 1
            yield place


def _match_part(part: str, name: str) -> bool:
    # Python's own matching never goes back over what a star has taken; it has "!" alone for a set's complement.
    return fnmatchcase(name, part.replace("[^", "[!"))
