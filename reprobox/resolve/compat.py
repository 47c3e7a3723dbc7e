"""What torch and TensorFlow were built for: Pythons, CUDAs, cuDNNs. The facts, with their sources, are in ``data/``.

A version newer than the tables is never called wrong: it may have come out since.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from packaging.version import InvalidVersion, Version

from reprobox.tables import load_table

_SHOWN = 5
"""So many versions are suggested."""


@dataclass(frozen=True)
class CompatProblem:
    """One combination in a spec that cannot be had; ``key`` is the spec's key that names it."""

    key: str
    message: str
    hint: str


def check_frameworks(
    frameworks: Mapping[str, str],
    python: str | None,
    cuda: str | None,
    cudnn: str | None,
    known: Collection[str] = (),
) -> tuple[CompatProblem, ...]:
    """Return every problem of these frameworks with this Python (``None``: nobody knows which), CUDA and cuDNN.

    The tables are not asked about frameworks that are ``known`` better.
    """
    problems: list[CompatProblem] = []
    for name in ("torch", "tensorflow"):
        version = _parse(frameworks.get(name))
        if version is not None and name not in known:
            problems += _check_release(name, version, python)
            problems += _check_cuda(name, version, cuda)
            problems += _check_cudnn(name, version, cuda, cudnn)
    return tuple(problems)


def find_default_torch_build(version: str) -> str | None:
    """Say which build the public index serves for a torch without a local part ("cu130"); ``None``: unknown."""
    release = _find_release("torch", _parse(version))
    build = release["pypi_default"].get("build") if release else None
    return str(build) if build else None


def list_torch_builds(version: str) -> tuple[str, ...]:
    """Return the CUDAs that a torch was built for, that of the public index first, then from the newest on."""
    release = _find_release("torch", _parse(version))
    if release is None:
        return ()
    default = release["pypi_default"].get("cuda")
    others = {str(item["cuda"]) for item in (release["builds"] or {}).values() if item["cuda"]} - {str(default)}
    return (*([str(default)] if default else []), *sorted(others, key=Version, reverse=True))


def list_torches_for(major: str) -> tuple[str, ...]:
    """Return the newest torches of each minor version that were built for a CUDA of this major version, newest last."""
    found: dict[tuple[int, ...], Version] = {}
    for version in sorted(_index_releases("torch")):
        if any(cuda.split(".")[0] == major for cuda in list_torch_builds(str(version))):
            found[version.release[:2]] = version
    return tuple(str(version) for version in found.values())[-_SHOWN:]


def find_tested_tensorflow(version: str) -> tuple[str, str] | None:
    """Return the CUDA and cuDNN that a TensorFlow was built and tested with; ``None``: unknown."""
    release = _find_release("tensorflow", _parse(version))
    return (str(release["tested"]["cuda"]), str(release["tested"]["cudnn"])) if release else None


def list_tensorflows_with_cuda(major: str) -> tuple[str, ...]:
    """Return the oldest TensorFlows whose extra brings a CUDA of this major version, or else of the nearest."""
    found: dict[str, dict[tuple[int, ...], Version]] = {}
    for version, release in sorted(_index_releases("tensorflow").items()):
        if (release.get("and_cuda_extra") or {}).get("pin") in ("exact", "range"):
            brought = str(release["tested"]["cuda"]).split(".")[0]
            found.setdefault(brought, {})[version.release[:2]] = version
    nearest = min(found, key=lambda one: abs(int(one) - int(major)))
    return tuple(str(version) for version in found[nearest].values())[:_SHOWN]


def list_releases_for(name: str, cuda: str) -> tuple[str, ...]:
    """Return the newest torch, or tensorflow, of each minor version that goes with a CUDA "12.4", newest last."""
    goes_with = _tensorflow_goes_with if name == "tensorflow" else _torch_goes_with
    found: dict[tuple[int, ...], Version] = {}
    for version, release in sorted(_index_releases(name).items()) if name in ("torch", "tensorflow") else ():
        if goes_with(release, cuda):
            found[version.release[:2]] = version
    return tuple(str(version) for version in found.values())[-_SHOWN:]


def list_cudas(major: str) -> tuple[str, ...]:
    """Return the minor versions of a CUDA that came out, "12.4", oldest first."""
    found = {_minor(str(row["cuda"])) for row in load_table("compat_cuda_driver")["toolkits"]}
    return tuple(sorted((one for one in found if one.split(".")[0] == major), key=Version))


def list_cudnns(major: str) -> tuple[str, ...]:
    """Return the minor versions of cuDNN that some torch or TensorFlow has with this major version of CUDA."""
    rows = [row for one in _index_releases("torch").values() for row in _list_builds(one)]
    rows += [release["tested"] for release in _index_releases("tensorflow").values()]
    found = {_minor(str(row["cudnn"])) for row in rows if row.get("cudnn") and str(row["cuda"]).split(".")[0] == major}
    return tuple(sorted(found, key=Version))


def _torch_goes_with(release: Mapping[str, Any], cuda: str) -> bool:
    return any(str(row["cuda"]) == cuda for row in _list_builds(release))


def _tensorflow_goes_with(release: Mapping[str, Any], cuda: str) -> bool:
    extra = release.get("and_cuda_extra") or {}
    if lowest := extra.get("lowest", {}).get("cuda_runtime"):
        first = _minor(str(lowest))
        return first.split(".")[0] == cuda.split(".")[0] and Version(first) <= Version(cuda)
    return _minor(str(extra.get("cuda_runtime") or release["tested"]["cuda"])) == cuda


def _list_builds(release: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in (release["pypi_default"], *(release["builds"] or {}).values()) if row.get("cuda")]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _check_release(name: str, version: Version, python: str | None) -> Iterable[CompatProblem]:
    release = _find_release(name, version)
    if release is None:
        if _is_covered(name, version):
            yield CompatProblem(f"frameworks.{name}", f"there is no {name} {version.public}", _suggest(name, version))
        return
    pythons = [str(item) for item in release["pythons"]]
    if python is not None and python not in pythons:
        yield CompatProblem(
            f"frameworks.{name}",
            f"{name} {version.public} has no wheels for Python {python}",
            f"{name} {version.public} has wheels for {_span(pythons)}" + _suggest_for_python(name, python),
        )


def _check_cuda(name: str, version: Version, cuda: str | None) -> Iterable[CompatProblem]:
    release = _find_release(name, version)
    if name == "torch":
        yield from _check_torch_build(version, cuda, release)
    elif cuda and release and cuda.split(".")[0] != release["tested"]["cuda"].split(".")[0]:
        tested = release["tested"]["cuda"]
        yield CompatProblem(
            "cuda",
            f"tensorflow {version.public} was never built for CUDA {cuda}",
            f'it was built and tested with CUDA {tested}; write cuda: "{tested}"',
        )


def _check_torch_build(
    version: Version, cuda: str | None, release: Mapping[str, Any] | None
) -> Iterable[CompatProblem]:
    wanted = _name_build(cuda) if cuda else None
    if version.local and wanted and version.local != wanted:
        yield CompatProblem(
            "frameworks.torch",
            f"torch {version} is the {version.local} build, but the spec asks for CUDA {cuda}",
            f'write torch: "{version.public}" and let cuda choose the build, or leave cuda out',
        )
    builds = list(release["builds"] or ()) if release else []
    build = version.local or wanted
    if not builds or build in (None, "cpu") or build in builds or not str(build).startswith("cu"):
        return
    cudas = sorted({str(item["cuda"]) for item in (release or {})["builds"].values() if item["cuda"]}, key=Version)
    yield CompatProblem(
        "frameworks.torch" if version.local else "cuda",
        f"torch {version.public} was never built for CUDA {cuda or _name_cuda(str(build))}",
        f"torch {version.public} was built for CUDA {', '.join(cudas)}",
    )


def _check_cudnn(name: str, version: Version, cuda: str | None, cudnn: str | None) -> Iterable[CompatProblem]:
    release = _find_release(name, version)
    if not cudnn or not release:
        return
    if name == "tensorflow":
        brought = release["tested"]["cudnn"]
        fits = brought.split(".")[0] == cudnn.split(".")[0]
    else:
        build = _find_build(release, _name_build(cuda)) if cuda else {}
        brought = build.get("cudnn", "")
        fits = not brought or f"{brought}.".startswith(f"{cudnn}.")
    if not fits:
        what = f"{name} {version.public}" + (f" for CUDA {cuda}" if cuda else "")
        yield CompatProblem(
            "cudnn", f"{what} brings cuDNN {brought}, not {cudnn}", "leave cudnn out, or write that one"
        )


def _find_build(release: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    default = release["pypi_default"]
    return default if default.get("build") == name else (release["builds"] or {}).get(name) or {}


def _name_build(cuda: str) -> str:
    major, minor = (*cuda.split("."), "0")[:2]
    return f"cu{major}{minor}"


def _name_cuda(build: str) -> str:
    return f"{build[2:-1]}.{build[-1]}"


def _find_release(name: str, version: Version | None) -> dict[str, Any] | None:
    return _index_releases(name).get(Version(version.public)) if version is not None else None


def _is_covered(name: str, version: Version) -> bool:
    known = _index_releases(name)
    return not version.is_prerelease and min(known) <= Version(version.public) <= max(known)


def _suggest(name: str, version: Version) -> str:
    known = sorted(_index_releases(name))
    same = [str(item) for item in known if item.release[:2] == version.release[:2]]
    near = same or difflib.get_close_matches(version.public, [str(item) for item in known], n=3, cutoff=0.3)
    return f"did you mean {' or '.join(near)}?" if near else f"the newest is {known[-1]}"


def _suggest_for_python(name: str, python: str) -> str:
    fitting = [str(version) for version, release in _index_releases(name).items() if python in release["pythons"]]
    if not fitting:
        return ""
    newest = max(fitting, key=Version)
    return f"; for Python {python} the newest is {name} {newest}"


def _span(pythons: list[str]) -> str:
    return pythons[0] if len(pythons) == 1 else f"{pythons[0]}–{pythons[-1]}"


def _parse(text: str | None) -> Version | None:
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None


@cache
def _index_releases(name: str) -> dict[Version, dict[str, Any]]:
    return {Version(str(release[name])): release for release in load_table(f"compat_{name}")["releases"]}
