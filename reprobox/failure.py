"""Turn an exception into a message, an exit code and, for a bug, a report file."""

from __future__ import annotations

import errno
import json
import platform
import sys
import traceback
from pathlib import Path

from reprobox import __version__
from reprobox.errors import BuildError, Interrupted, ReproboxError, SpecError, UsageError
from reprobox.files import FULL_DISK, write_atomic
from reprobox.streams import escape_unprintable, write_line

BUG = 70
_PLACES = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
)
"""What is wrong with a place on the user's disk, and not with this program."""


def report_failure(exc: BaseException, *, as_json: bool, reports: Path) -> int:
    """Say on stderr what went wrong (as one JSON object on stdout besides, when asked) and return the exit code.

    A failure nobody foresaw is written to a file in ``reports`` with its traceback, and named.
    """
    error = _translate(exc, reports)
    text = f"error: {error}" if not isinstance(error, SpecError) else str(error)
    # Names of files and texts of strangers stand in it: none of them is to move the cursor.
    write_line(sys.stderr, "\n".join(map(escape_unprintable, text.split("\n"))))
    if as_json:
        write_line(sys.stdout, json.dumps({"error": describe_error(error)}))
    return error.exit_code


def describe_error(error: ReproboxError) -> dict[str, object]:
    """Return the error for machines."""
    described: dict[str, object] = {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, SpecError):
        described["problems"] = [vars(problem) for problem in error.problems]
    return described


def _translate(exc: BaseException, reports: Path) -> ReproboxError:
    if isinstance(exc, ReproboxError):
        return exc
    if isinstance(exc, KeyboardInterrupt):
        return Interrupted("interrupted")
    if isinstance(exc, OSError) and exc.errno in FULL_DISK:
        return BuildError(f"{exc.filename or 'a file'}: no space left on its disk", hint="make room there")
    if isinstance(exc, OSError) and exc.errno in _PLACES and exc.filename:
        name = str(exc.filename)
        shown = name if len(name) < 300 else f"{name[:300]}…"
        return UsageError(
            f"{shown}: {exc.strerror}", hint="look at what is there; another owner, name or place is needed"
        )
    if isinstance(exc, OSError) and exc.strerror:
        where = f"{exc.filename}: " if exc.filename else ""
        error = ReproboxError(f"{where}{exc.strerror}", hint=_write_report(exc, reports))
        error.exit_code = BUG
        return error
    return ReproboxError(f"a bug in reprobox: {type(exc).__name__}: {exc}", hint=_write_report(exc, reports))


def _write_report(exc: BaseException, reports: Path) -> str:
    text = "".join(
        (
            f"reprobox {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}\n",
            f"arguments: {sys.argv[1:]}\n\n",
            *traceback.format_exception(exc),
        )
    )
    path = reports / "failure.log"
    try:
        write_atomic(path, text)
    except OSError:
        return "the details could not be written to a file:\n" + text
    return f"the details are in {path}; please report them"
