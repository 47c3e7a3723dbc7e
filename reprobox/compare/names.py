"""Names of parts: the way to each, written so that no two ways come out as one."""

from __future__ import annotations

import re
from hashlib import blake2b

_MEANING = re.compile(r"[\\.\[\]()<>@'\"]")
"""What stands between the steps of a way; in a step of a file's own it gets a backslash."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LONGEST = 200
_DIGEST = 16


def escape_name(key: str) -> str:
    """Return a key, column or link as one step of a name; an empty one is two quotes."""
    return _MEANING.sub(r"\\\g<0>", key) or "''"


def join_key(name: str, key: str) -> str:
    """Return the name of what ``key`` leads to from ``name``."""
    return f"{name}.{escape_name(key)}" if name else escape_name(key)


def join_own(name: str, word: str) -> str:
    """Return the name of something that is said of ``name`` and no key leads to: ``steps.<class>``."""
    return f"{name}.<{word}>" if name else f"<{word}>"


def show_name(name: str) -> str:
    """Return a name for people, who need no backslashes."""
    return _ESCAPED.sub(r"\1", name)


def shorten_name(name: str) -> str:
    """Return a name of bounded length; one that was longer begins with the digest of the whole."""
    if len(name) <= _LONGEST:
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()
    head = f"<{digest}>…"
    return head + name[len(head) - _LONGEST :]
