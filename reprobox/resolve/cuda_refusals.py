"""uv's refusals that come of the spec's CUDA and cuDNN: who needs another one, and what goes together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from reprobox.errors import LockError
from reprobox.resolve.compat import list_cudas, list_cudnns, list_releases_for, list_torch_builds
from reprobox.resolve.cuda import AUTO, choose_cuda
from reprobox.uv import Question

_HELD = re.compile(r"(nvidia-[\w-]+)==(\d+(?:\.\d+)*)\.\*")
_WHO = r"(?:you require|(?P<name>[\w.-]+)(?:\[[^\]]*\])?(?:={2,3}(?P<version>\S+))? depends on)"
_MARKER = r"(?:\{[^}]*\})?"
_RANGE = r"(?P<range>(?:[<>=!~]=?[\w.*+]+,?)+)"
_MOST_PATCHES = 500
"""Greater than any last part of a version of NVIDIA's."""


class _Held(NamedTuple):
    """A package of NVIDIA's that the spec's CUDA or cuDNN holds to a version."""

    package: str
    version: str

    @property
    def key(self) -> str:
        return "cudnn" if self.package.startswith("nvidia-cudnn") else "cuda"

    @property
    def what(self) -> str:
        return "cuDNN" if self.key == "cudnn" else "CUDA"

    def list_known(self, cuda: str) -> tuple[str, ...]:
        """Return what there is of it, from the tables, for this major version of CUDA."""
        return list_cudnns(cuda) if self.key == "cudnn" else list_cudas(cuda)


class _Needed(NamedTuple):
    """What somebody asks for of a package that is held; nobody by name: the spec itself."""

    name: str
    version: str
    range: str

    @property
    def who(self) -> str:
        return f"{self.name} {self.version}".strip()


def explain_cuda_conflict(text: str, question: Question) -> LockError | None:
    """Recognise a refusal that ``question``'s constraints on CUDA and cuDNN are the reason for."""
    for held in _list_held(question):
        if needed := _find_needed(text, held):
            if needed.name:
                return _explain_other(held, needed, question)
            return _explain_own(held, needed, _major_of(question))
        if _is_absent(text, held):
            return _explain_absent(held, _major_of(question))
    return None


def _list_held(question: Question) -> list[_Held]:
    found = (_HELD.fullmatch(line) for line in question.constraints)
    return [_Held(match[1], match[2]) for match in found if match]


def _find_needed(text: str, held: _Held) -> _Needed | None:
    """Find who asks for a version that the held one is not."""
    package = re.escape(held.package) + _MARKER
    if not re.search(rf"{package}=={re.escape(held.version)}\.\*", text):
        return None
    for match in re.finditer(rf"{_WHO} {package}{_RANGE}", text):
        asked = match["range"].rstrip(",.")
        if not _allows(asked, held.version):
            return _Needed(match["name"] or "", (match["version"] or "").rstrip(","), asked)
    return None


def _allows(asked: str, version: str) -> bool:
    """Whether any version that begins with ``version`` would do; what cannot be read is none of our business."""
    try:
        specifiers = SpecifierSet(asked)
    except InvalidSpecifier:
        return True
    named = [
        one.version for one in specifiers if f"{one.version}.".startswith(f"{version}.") and "*" not in one.version
    ]
    return any(specifiers.contains(one) for one in [*named, *(f"{version}.{patch}" for patch in range(_MOST_PATCHES))])


def _is_absent(text: str, held: _Held) -> bool:
    """Whether there is no such version of the package at all."""
    package = re.escape(held.package) + _MARKER
    wanted = rf"{package}=={re.escape(held.version)}\.\*"
    only = rf"only (?:the following versions of )?{package}"
    return re.search(rf"no versions? of {wanted}|{only}.* {wanted}", text) is not None


def _explain_absent(held: _Held, cuda: str) -> LockError:
    others = [one for one in held.list_known(cuda) if one != held.version]
    near = _sort_by_distance(others, held.version)[:2]
    other = "leave cudnn out" if held.key == "cudnn" else "write cuda: auto"
    named = " or ".join(f'{held.key}: "{one}"' for one in sorted(near, key=Version))
    return LockError(
        f"no index of this machine has {held.what} {held.version} ({held.package}=={held.version}.*)",
        hint=f"the nearest known are {named}; or {other}" if near else other,
        about=held.key,
    )


def _explain_own(held: _Held, needed: _Needed, cuda: str) -> LockError:
    """The spec asks for a package of NVIDIA's by name."""
    fitting = [one for one in held.list_known(cuda) if _allows(needed.range, one)]
    other = f'{held.key}: "{fitting[-1]}"' if fitting else f"the {held.key} that it is of"
    return LockError(
        f"the spec asks for {held.package}{needed.range}, which is not of {held.what} {held.version}",
        hint=f"leave {held.package} out, or write {other}",
        about=held.package,
    )


def _explain_other(held: _Held, needed: _Needed, question: Question) -> LockError:
    fitting = [one for one in held.list_known(_major_of(question)) if _allows(needed.range, one)]
    span = fitting[0] if len(fitting) == 1 else f"{fitting[0]} to {fitting[-1]}" if fitting else "of another kind"
    return LockError(
        f"{needed.who} goes with {held.what} {span} ({held.package}{needed.range}), not {held.version}",
        hint=_suggest_cudnn(held, fitting) if held.key == "cudnn" else _suggest_cuda(held, needed, fitting, question),
        about=held.key,
    )


def _suggest_cudnn(held: _Held, fitting: Sequence[str]) -> str:
    near = _sort_by_distance(fitting, held.version)
    return f'write cudnn: "{near[0]}", or leave cudnn out' if near else "leave cudnn out"


def _suggest_cuda(held: _Held, needed: _Needed, fitting: Sequence[str], question: Question) -> str:
    """Name the nearest CUDA that would do, and the releases that the wanted one would do for."""
    frameworks = _read_frameworks(question)
    builds = list_torch_builds(frameworks.get("torch", ""))
    both = _sort_by_distance([one for one in fitting if not builds or one in builds], held.version)
    if fitting and not both:
        return _suggest_releases(frameworks["torch"], needed, builds)
    auto = " or cuda: auto" if _choose_auto(frameworks) in both else ""
    releases = list_releases_for(needed.name, held.version)
    ways = [f'write cuda: "{both[0]}"{auto}'] if both else []
    ways += [f"use {needed.name} {_join(releases)}, which goes with CUDA {held.version}"] if releases else []
    return "; or ".join(ways) or f"choose another version of {needed.name}, or another cuda"


def _suggest_releases(torch: str, needed: _Needed, builds: Sequence[str]) -> str:
    """Say what goes with the CUDAs that torch is built for, where none of them would do."""
    found = {one: list_releases_for(needed.name, one) for one in builds}
    ways = "; ".join(f"for CUDA {one} there is {needed.name} {_join(names)}" for one, names in found.items() if names)
    said = f"torch {torch} is built for CUDA {', '.join(builds)}"
    return f"{said}; {ways or 'choose another version of one of them'}; or make two specs, one for each"


def _choose_auto(frameworks: dict[str, str]) -> str | None:
    try:
        return choose_cuda(frameworks, AUTO, {})
    except LockError:
        return None


def _read_frameworks(question: Question) -> dict[str, str]:
    """Return what is required in exactly one version, by name."""
    found: dict[str, str] = {}
    for line in question.requirements:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        for one in requirement.specifier:
            if one.operator in ("==", "==="):
                found[requirement.name] = one.version.partition("+")[0]
    return found


def _major_of(question: Question) -> str:
    """Return the major version of the CUDA that is held; cuDNN's packages have it in their names."""
    held = _list_held(question)
    cuda = next((one.version for one in held if one.key == "cuda"), "")
    return cuda.split(".")[0] or held[0].package.rpartition("-cu")[2]


def _sort_by_distance(versions: Sequence[str], wanted: str) -> list[str]:
    return sorted(versions, key=lambda version: abs(_to_number(version) - _to_number(wanted)))


def _to_number(version: str) -> int:
    major, minor = (*Version(version).release, 0)[:2]
    return 1000 * major + minor


def _join(names: Sequence[str]) -> str:
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
