"""Ask git which commit a folder is at; a folder without one is no failure."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection
from pathlib import Path

from reprobox.process import Finished, run_program
from reprobox.report.model import Git

# A repository may name programs that git starts: its own settings are a stranger's, and none of these is let through.
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_DIR": None,
    "GIT_WORK_TREE": None,
    "GIT_INDEX_FILE": None,
    "LC_ALL": "C",
    # Objects that are not there are fetched, by a program that the repository names.
    "GIT_ALLOW_PROTOCOL": "none",
}
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_DIFF = ("diff", "--name-only", "--no-ext-diff", "--ignore-submodules=dirty", "--relative", "-z")
_NOTHING_FOUND = 1
"""What ``git config`` ends with where there is no such key."""
_TRUSTED = ("system", "global")
_TIMEOUT = 60


def read_git(folder: Path, paths: Collection[str]) -> Git | None:
    """Return the commit, and whether ``paths`` differ from it; ``None`` where git has no answer.

    A file that git does not know differs, and so does a commit with files that are gone.
    """
    without = _list_without_filters(folder)
    if without is None:
        return None
    head = _ask(folder, "rev-parse", "--verify", "HEAD^{commit}")
    tracked = _list(folder, "ls-files", "-z", "--", ".")
    changed = _list(folder, *without, *_DIFF, "HEAD", "--", ".")
    gone = _list(folder, *without, *_DIFF, "--diff-filter=D", "HEAD", "--", ".")
    if head is None or tracked is None or changed is None or gone is None:
        return None
    commit = head.strip()
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        return None
    return Git(commit, bool(gone) or any(path in changed or path not in tracked for path in paths))


def _list_without_filters(folder: Path) -> tuple[str, ...] | None:
    """Return what keeps git from starting the filters that the repository itself names; ``None`` where nothing does.

    Those of the user's and the machine's own settings, such as Git LFS's, are trusted.
    """
    done = _run(folder, "config", "--show-scope", "--name-only", "-z", "--get-regexp", r"^filter\.")
    if done is None or done.code not in (0, _NOTHING_FOUND):
        return None
    words = done.stdout.split("\0")[:-1]
    names = {
        key.removeprefix("filter.").rpartition(".")[0]
        for scope, key in zip(words[::2], words[1::2], strict=True)
        if scope not in _TRUSTED
    }
    # "-c" ends a key at the first "=".
    if any("=" in name for name in names):
        return None
    settings = [f"filter.{name}.{key}" for name in sorted(names) for key in ("clean=", "process=", "required=false")]
    return tuple(word for setting in settings for word in ("-c", setting))


def _list(folder: Path, *arguments: str) -> set[str] | None:
    answer = _ask(folder, *arguments)
    return None if answer is None else {name for name in answer.split("\0") if name}


def _ask(folder: Path, *arguments: str) -> str | None:
    done = _run(folder, *arguments)
    return None if done is None or done.code else done.stdout


def _run(folder: Path, *arguments: str) -> Finished | None:
    try:
        return run_program((*_GIT, *arguments), timeout=_TIMEOUT, env=_QUIET, cwd=folder)
    except (OSError, subprocess.TimeoutExpired):
        return None
