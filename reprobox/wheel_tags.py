"""Which wheels fit the image's interpreter: its tags, not this machine's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from reprobox.errors import LockError
from reprobox.lock import PythonTarget
from reprobox.uv import WheelFile

_UV_GLIBC = (17, 28, *range(31, 41))
"""Minor versions of glibc 2 that uv has a platform for (``uv pip compile --help``, --python-platform)."""
_ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def name_architecture(architecture: str) -> str:
    """Turn Debian's or the kernel's word for an architecture into the one that wheels use."""
    if architecture not in _ARCHITECTURES:
        raise LockError(
            f"wheels for {architecture} are not supported", hint=f"use one of {', '.join(sorted(_ARCHITECTURES))}"
        )
    return _ARCHITECTURES[architecture]


def name_uv_platform(target: PythonTarget, architecture: str) -> str:
    """Name the newest platform of uv's that the image's glibc can still run."""
    fitting = [minor for minor in _UV_GLIBC if minor <= _read_glibc(target)]
    if not fitting:
        raise LockError(
            f"the base has glibc {target.glibc}; wheels need 2.{_UV_GLIBC[0]} or later", hint="choose a newer base"
        )
    return f"{name_architecture(architecture)}-manylinux_2_{fitting[-1]}"


def choose_wheel(files: Iterable[WheelFile], target: PythonTarget, architecture: str) -> WheelFile | None:
    """Return the file that an installer in the image would take; ``None`` when none fits."""
    ranks = _rank_tags(target.numbers, target.abi, _read_glibc(target), name_architecture(architecture))
    ranked = [(rank, file) for file in files if (rank := _rank(file.filename, ranks)) is not None]
    # Best tag, then highest build number, then by name, so that the order of an index page never matters.
    return min(ranked, key=lambda item: (item[0], item[1].filename))[1] if ranked else None


def _rank(filename: str, ranks: dict[Tag, int]) -> tuple[int, int, str] | None:
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    best = min((ranks[tag] for tag in tags if tag in ranks), default=None)
    number, suffix = build or (0, "")
    return None if best is None else (best, -int(number), suffix)


@cache
def _rank_tags(python: tuple[int, int], abi: str, glibc: int, architecture: str) -> dict[Tag, int]:
    platforms = list(_list_platforms(glibc, architecture))
    tags = [*cpython_tags(python, [abi], platforms), *compatible_tags(python, abi.rstrip("m"), platforms)]
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}


def _list_platforms(glibc: int, architecture: str) -> Iterator[str]:
    for minor in range(glibc, 4 if architecture == "x86_64" else 16, -1):
        yield f"manylinux_2_{minor}_{architecture}"
        if minor in _LEGACY:
            yield f"{_LEGACY[minor]}_{architecture}"
    yield f"linux_{architecture}"


def _read_glibc(target: PythonTarget) -> int:
    major, _, minor = target.glibc.partition(".")
    if major != "2" or not minor.isdigit():
        raise LockError(
            f"the base has C library {target.glibc!r}; wheels here need glibc 2", hint="choose a base with glibc"
        )
    return int(minor)
