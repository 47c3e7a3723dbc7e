"""Ask git which commit a folder is at; a folder without one is no failure."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection
from pathlib import Path

from reprobox.process import run_program
from reprobox.report.model import Git

_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_DIR": None, "GIT_WORK_TREE": None, "GIT_INDEX_FILE": None, "LC_ALL": "C"}
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_TIMEOUT = 60


def read_git(folder: Path, paths: Collection[str]) -> Git | None:
    """Return the commit, and whether ``paths`` differ from it; ``None`` where git has no answer.

    A file that git does not know differs, and so does a commit with files that are gone.
    """
    head = _ask(folder, "rev-parse", "--verify", "HEAD^{commit}")
    tracked = _list(folder, "ls-files", "-z", "--", ".")
    changed = _list(folder, "diff", "--name-only", "--no-ext-diff", "--relative", "-z", "HEAD", "--", ".")
    gone = _list(
        folder, "diff", "--name-only", "--no-ext-diff", "--relative", "-z", "--diff-filter=D", "HEAD", "--", "."
    )
    if head is None or tracked is None or changed is None or gone is None:
        return None
    commit = head.strip()
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        return None
    return Git(commit, bool(gone) or any(path in changed or path not in tracked for path in paths))


def _list(folder: Path, *arguments: str) -> set[str] | None:
    answer = _ask(folder, *arguments)
    return None if answer is None else {name for name in answer.split("\0") if name}


def _ask(folder: Path, *arguments: str) -> str | None:
    try:
        done = run_program((*_GIT, *arguments), timeout=_TIMEOUT, env=_QUIET, cwd=folder)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.code else done.stdout
