"""What each value in a lock may look like; a lock from a stranger must not name a file outside its place."""

from __future__ import annotations

import re
from collections.abc import Callable

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from reprobox.lock import Sdist, Wheel

Check = Callable[[object], str]
"""Returns what is wrong with a value, or nothing."""


def check_wheel(wheel: Wheel) -> str:
    """Say what is wrong with the file name of ``wheel``, beside its own name and version."""
    try:
        name, version, _, _ = parse_wheel_filename(wheel.filename)
        wanted = Version(wheel.version)
    except (InvalidWheelFilename, InvalidVersion) as exc:
        return f"not a wheel's file name: {exc}"
    if name != wheel.name or version != wanted:
        return f"{wheel.filename} is not a wheel of {wheel.name} {wheel.version}"
    return ""


def check_sdist(sdist: Sdist) -> str:
    """Say what is wrong with the file name of ``sdist``, beside its own name and version."""
    try:
        name, version = parse_sdist_filename(sdist.filename)
        wanted = Version(sdist.version)
    except (InvalidSdistFilename, InvalidVersion) as exc:
        return f"not a source archive's file name: {exc}"
    if name != sdist.name or version != wanted:
        return f"{sdist.filename} is not a source archive of {sdist.name} {sdist.version}"
    return ""


def _match(pattern: str, what: str, limit: int = 400) -> Check:
    compiled = re.compile(pattern)

    def check(value: object) -> str:
        good = isinstance(value, str) and len(value) <= limit and compiled.fullmatch(value)
        return "" if good else f"not {what}"

    return check


def _check_count(value: object) -> str:
    return "" if type(value) is int and 0 <= value < 2**53 else "not a size or a count"


def _check_name(value: object) -> str:
    return "" if isinstance(value, str) and value and canonicalize_name(value) == value else "not a package name"


def _check_path(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9+._~%:@, /-]{1,1000}", value):
        return "not a path"
    if any(part in ("", ".", "..") for part in value.split("/")):
        return "not a path inside its folder"
    return ""


def _check_deb_path(value: object) -> str:
    return _check_path(value) or ("" if str(value).endswith(".deb") else "not the path of a .deb file")


def _check_diff_ids(value: object) -> str:
    if not isinstance(value, tuple) or not value:
        return "not a list of layer digests"
    return next((problem for item in value if (problem := _DIGEST(item))), "")


def _check_env(value: object) -> str:
    if not isinstance(value, tuple):
        return "not a list of variables"
    return next((problem for item in value if (problem := _VARIABLE(item))), "")


def _check_nothing(value: object) -> str:
    return ""


_SHA256 = _match("[0-9a-f]{64}", "a sha256 in lower-case hexadecimal")
_DIGEST = _match("sha256:[0-9a-f]{64}", 'a digest, "sha256:" and 64 hexadecimal digits')
_TEXT = _match(r"[!-~]{1,200}", "a short text without spaces")
_VARIABLE = _match(r"[A-Za-z_][A-Za-z0-9_]*=[ -~]*", "a variable, NAME=value, in printable characters", 4000)
_WORD = _match(r"[a-z0-9][a-z0-9-]*", "a word of lower-case letters, digits and dashes")

CHECKS: dict[str, Check] = {
    "text": _TEXT,
    "count": _check_count,
    "digest": _DIGEST,
    "base": _match("debian|image|archive", '"debian", "image" or "archive"'),
    "PythonTarget.version": _match(r"[0-9]+\.[0-9]+(\.[0-9]+)?[0-9a-z+.]*", "a Python version"),
    "PythonTarget.executable": _match(r"(/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+", "an absolute path"),
    "PythonTarget.glibc": _match(r"[0-9]{1,3}\.[0-9]{1,3}", "a glibc version"),
    "Wheel.name": _check_name,
    "Wheel.version": _match(r"[0-9A-Za-z.!+_-]{1,100}", "a version"),
    "Wheel.filename": _match(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*\.whl", "a wheel's file name", 250),
    "Wheel.sha256": _SHA256,
    "Wheel.size": _check_count,
    "Wheel.index": _match(r"((https?|file)://[!-~]+)?", "an index's URL", 2000),
    "Sdist.name": _check_name,
    "Sdist.version": _match(r"[0-9A-Za-z.!+_-]{1,100}", "a version"),
    "Sdist.filename": _match(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*\.(tar\.gz|zip)", "a source archive's file name", 250),
    "Sdist.sha256": _SHA256,
    "Sdist.size": _check_count,
    "Sdist.index": _match(r"((https?|file)://[!-~]+)?", "an index's URL", 2000),
    "DebPackage.name": _match(r"[a-z0-9][a-z0-9+.-]+", "a Debian package's name"),
    "DebPackage.version": _match(r"[0-9A-Za-z][0-9A-Za-z.+:~-]*", "a Debian version"),
    "DebPackage.architecture": _WORD,
    "DebPackage.sha256": _SHA256,
    "DebPackage.size": _check_count,
    "DebPackage.archive": _WORD,
    "DebPackage.path": _check_deb_path,
    "DebianBase.suite": _match(r"[a-z0-9][a-z0-9-]*", "a Debian suite"),
    "DebianBase.architecture": _WORD,
    "DebianBase.snapshot": _match(r"[0-9]{8}T[0-9]{6}Z", "a time like 20260102T030405Z"),
    "DebianBase.packages": _check_nothing,  # read and checked one by one before
    "ImageBase.reference": _match(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", "an image reference", 1000),
    "ImageBase.config_digest": _DIGEST,
    "ImageBase.diff_ids": _check_diff_ids,
    "ImageBase.env": _check_env,
    "ArchiveBase.path": _check_path,
    "ArchiveBase.sha256": _SHA256,
}
