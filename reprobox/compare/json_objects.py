"""Objects of JSON, in whatever file they are."""

from __future__ import annotations

from collections import Counter

from reprobox.compare.model import NotComparable
from reprobox.compare.parts import describe_scalar


def make_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; raise ``NotComparable`` where a key is there twice: readers take one or the other."""
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = Counter(key for key, _ in pairs)
        raise NotComparable("key_twice", name=describe_scalar(keys.most_common(1)[0][0]))
    return made
