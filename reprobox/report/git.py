"""Ask git which commit a folder is at; a folder without one is no failure."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from reprobox.process import Finished, run_program
from reprobox.report.model import Git

# Nothing that the folder's own configuration names is to be started.
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_DIR": None, "GIT_WORK_TREE": None, "GIT_INDEX_FILE": None, "LC_ALL": "C"}
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_TIMEOUT = 60


def read_git(folder: Path) -> Git | None:
    """Return the commit, and whether something in the folder differs from it; ``None`` where git has no answer."""
    head = _ask(folder, "rev-parse", "--verify", "HEAD^{commit}")
    status = _ask(folder, "status", "--porcelain", "--", ".")
    if head is None or status is None or head.code or status.code:
        return None
    commit = head.stdout.strip()
    return Git(commit, bool(status.stdout.strip())) if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) else None


def _ask(folder: Path, *arguments: str) -> Finished | None:
    try:
        return run_program((*_GIT, *arguments), timeout=_TIMEOUT, env=_QUIET, cwd=folder)
    except (OSError, subprocess.TimeoutExpired):
        return None
