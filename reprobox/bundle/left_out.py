"""Say in a few lines what lies in a project and is not handed over."""

from __future__ import annotations

from collections.abc import Iterable

from reprobox.bundle.model import LeftOut
from reprobox.bundle.secrets import find_named

_MOST_NAMED = 5
_MOST_SECRETS = 20


def summarise_left_out(found: Iterable[tuple[str, str]]) -> tuple[LeftOut, ...]:
    """Return one line for each reason, and one for each path whose name says that it holds secrets.

    ``found`` has paths and why each stays out.
    """
    secrets: list[LeftOut] = []
    others: dict[str, list[str]] = {}
    for path, why in found:
        if len(secrets) < _MOST_SECRETS and any(find_named([path])):
            secrets.append(LeftOut(_show(path), why))
        else:
            others.setdefault(why, []).append(path)
    return (*secrets, *(LeftOut(_join(paths), why) for why, paths in sorted(others.items())))


def _join(paths: list[str]) -> str:
    more = len(paths) - _MOST_NAMED
    return ", ".join(map(_show, paths[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _show(path: str) -> str:
    """Return a name as any file system may have it, so that it can be written as text."""
    return path.encode("utf-8", "backslashreplace").decode()
