"""uv's refusals in the words of someone who wrote a spec."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from reprobox.errors import FetchError, LockError
from reprobox.http import open_session
from reprobox.resolve.cuda_refusals import explain_cuda_conflict
from reprobox.simple_index import read_offers
from reprobox.uv import PythonConfig, Question, WheelFile, list_indexes

_NO_VERSION = re.compile(r"there is no version of ([\w.-]+)(?:\[[^\]]*\])?={2,3}(\S+?)(?:,| and | we |$)")
_NO_PACKAGE = re.compile(r"([\w.-]+) was not found in the (?:package registry|provided package locations)")
_NO_PYTHON = re.compile(r"([\w.-]+)=*=(\S+) has no wheels with a matching Python (?:ABI|version|implementation) tag")
_NO_PLATFORM = re.compile(r"([\w.-]+)=*=(\S+) has no wheels with a matching platform tag")
_NO_WHEEL = re.compile(r"([\w.-]+)=*=(\S+) has no usable wheels")
_NEEDS_PYTHON = re.compile(r"([\w.-]+)==(\S+) (?:requires|depends on) Python *(\S+)")
_UNREACHABLE = re.compile(r"Failed to (?:fetch|read)[^\n]*?:? `?(\S+?)`?$", re.MULTILINE)
_SHOWN = 8


def explain_refusal(message: str, question: Question, config: PythonConfig, dropped: tuple[str, ...]) -> LockError:
    """Make one clear error of uv's ``message``; ``dropped`` are indexes that could not be reached."""
    text = _join_lines(message)
    error = (
        explain_cuda_conflict(text, question) or _explain_known(text, question, config) or _explain_conflict(message)
    )
    if not dropped:
        return error
    besides = f"\n  besides, this could not be reached: {', '.join(dropped)}"
    return LockError(error.message + besides, hint=error.hint, about=error.about)


def explain_no_build(backend: str, refusal: str, config: PythonConfig) -> LockError:
    """Say that a build of torch is in no index that answers, or that there is no such torch at all."""
    match = _NO_VERSION.search(_join_lines(refusal))
    name, version = (match[1], match[2].rstrip(",.").partition("+")[0]) if match else ("torch", "")
    known = {str(_read_version(file)).partition("+")[0] for file in _read_all(name, config)}
    if version and known and version not in known:
        return _explain_no_version(name, version, config)
    return LockError(
        f"{name} {version}: the {backend} build is in no index or find-links folder of this machine, and PyTorch's own"
        " index cannot be reached",
        hint="name a folder or index that has it, in the spec's `indexes` or in pip's or uv's configuration",
        about=name,
    )


def _explain_known(text: str, question: Question, config: PythonConfig) -> LockError | None:
    """Recognise the refusals that are about one package."""
    python = question.python_version
    if match := _NEEDS_PYTHON.search(text):
        return LockError(
            f"{match[1]} {match[2]} needs Python {match[3].rstrip(',')}, and the image has {python}",
            hint=f"choose another python or another version of {match[1]}",
            about=match[1],
        )
    if match := _NO_PYTHON.search(text):
        name, version = match[1], match[2].rstrip(",")
        known = _list_pythons(_read_all(name, config), version)
        return LockError(
            f"{name} {version} has no wheels for Python {python}",
            hint=f"{name} {version} has wheels for {known}" if known else f"choose another version of {name}",
            about=name,
        )
    if match := _NO_PLATFORM.search(text):
        return LockError(
            f"{match[1]} {match[2].rstrip(',')} has no wheels for {question.platform}",
            hint="choose another version, or a newer base",
            about=match[1],
        )
    if match := _NO_WHEEL.search(text):
        return LockError(
            f"{match[1]} {match[2].rstrip(',')} has only source distributions, which are not taken unasked",
            hint=f"choose a version with wheels, or have it built: `packages: {{from_source: [{match[1]}]}}`",
            about=match[1],
        )
    if match := _NO_VERSION.search(text):
        return _explain_no_version(match[1], match[2].rstrip(",."), config)
    if match := _NO_PACKAGE.search(text):
        return LockError(
            f"no index or find-links folder of this machine knows a package {match[1]}",
            hint="check the spelling; a private index belongs into the spec's `indexes` or into pip's or uv's settings",
            about=match[1],
        )
    return None


def _explain_no_version(name: str, version: str, config: PythonConfig) -> LockError:
    near = _list_near(_read_all(name, config), version)
    hint = f"there are {', '.join(near)}" if near else f"look up which versions of {name} there are"
    return LockError(f"there is no {name} {version}", hint=hint, about=name)


def _explain_conflict(message: str) -> LockError:
    if match := _UNREACHABLE.search(message):
        reason = message.strip().splitlines()[-1].strip().removeprefix("cause: ")
        return LockError(
            f"{match[1]} cannot be reached: {reason}",
            hint="check the network, the proxy and the certificates; `reprobox doctor` tries them",
        )
    text = re.sub(r"\b(?:error|cause|warning): ", "", _join_lines(message))
    sentences = re.split(r" (?=Because |And because |hint: )", text)
    kept = [line.removeprefix("hint: ") for line in sentences if not line.startswith("No solution found")]
    message = "\n  ".join(["the packages cannot be had together:", *kept])
    return LockError(message, hint="loosen one of the versions named")


def _join_lines(message: str) -> str:
    """Undo uv's wrapping of long lines."""
    return " ".join(message.split())


def _read_all(name: str, config: PythonConfig) -> tuple[WheelFile, ...]:
    """Ask every index for a project's wheels; only to make an error better, so what fails is left out."""
    found: list[WheelFile] = []
    with open_session(config.http) as session:
        for url in (*config.links, *list_indexes(config)):
            try:
                found += read_offers(session, url, name, config.http)
            except FetchError:
                continue
    wanted = canonicalize_name(name)
    return tuple(file for file in found if canonicalize_name(file.filename.split("-")[0]) == wanted)


def _list_near(files: Iterable[WheelFile], version: str) -> list[str]:
    """List versions close to ``version``: those of the same minor or major release, else the newest."""
    versions = sorted({item for file in files if (item := _read_version(file)) and not item.is_prerelease})
    try:
        wanted = Version(version).release
    except InvalidVersion:
        wanted = ()
    for depth in (2, 1):
        near = [item for item in versions if len(wanted) >= depth and item.release[:depth] == wanted[:depth]]
        if near:
            return [str(item) for item in near[-_SHOWN:]]
    return [str(item) for item in versions[-_SHOWN:]]


def _list_pythons(files: Iterable[WheelFile], version: str) -> str:
    """Say which Pythons a version has wheels for: "3.9, 3.10"."""
    found = set()
    for file in files:
        try:
            _, own, _, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:
            continue
        if str(own) == version:
            found |= {tag.interpreter for tag in tags}
    pythons = sorted({(int(tag[2]), int(tag[3:])) for tag in found if re.fullmatch(r"cp\d\d+", tag)})
    return ", ".join(f"{major}.{minor}" for major, minor in pythons)


def _read_version(file: WheelFile) -> Version | None:
    try:
        return parse_wheel_filename(file.filename)[1]
    except InvalidWheelFilename:
        return None
