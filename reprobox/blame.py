"""Point at the place in a spec that a failed resolution comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reprobox.errors import LockError, LockErrors, Problem
from reprobox.resolve.deb_closure import UnknownPackages
from reprobox.resolve.requirement_files import find_requirement
from reprobox.spec.positions import LoadedSpec


def find_culprits(loaded: LoadedSpec, error: LockError) -> tuple[Problem, ...]:
    """Return the problems that ``error`` means for keys of the spec; none where the spec does not name what failed.

    Of several errors those that the spec does not name are about the file as a whole, beside those that it does.
    """
    if not isinstance(error, LockErrors):
        return tuple(_find_places(loaded, error))
    found = [(one, tuple(_find_places(loaded, one))) for one in _flatten(error)]
    if not any(problems for _, problems in found):
        return ()
    return tuple(
        problem
        for one, problems in found
        for problem in problems or (Problem(loaded.file, 0, 0, "", one.message, one.hint or ""),)
    )


def _flatten(error: LockError) -> Iterator[LockError]:
    if isinstance(error, LockErrors):
        for one in error.errors:
            yield from _flatten(one)
    else:
        yield error


def _find_places(loaded: LoadedSpec, error: LockError) -> Iterator[Problem]:
    if isinstance(error, UnknownPackages):
        names = list(loaded.spec.system)
        found = [(f"system[{names.index(name)}]", *said) for name, said in error.problems.items() if name in names]
        yield from (loaded.problem(key, message, hint) for key, message, hint in found)
    elif error.about:
        name = canonicalize_name(error.about)
        yield from (loaded.problem(key, where + error.message, error.hint or "") for key, where in _find(loaded, name))


def _find(loaded: LoadedSpec, name: str) -> Iterator[tuple[str, str]]:
    """Yield the key that asks for a package and, where that is in a file of its own, the place there."""
    spec = loaded.spec
    if name in ("cuda", "cudnn") and spec.cuda:
        yield ("cudnn" if name == "cudnn" and spec.cudnn else "cuda"), ""  # which cuDNN it is follows from cuda
        return
    for framework in spec.frameworks:
        if canonicalize_name(framework) == name:
            yield f"frameworks.{framework}", ""
            return
    for index, line in enumerate(spec.packages):
        if canonicalize_name(Requirement(line).name) == name:
            yield _key_of_package(loaded, index), ""
            return
    folder = Path(loaded.file).parent
    if spec.requirements and (where := find_requirement(folder / spec.requirements, folder, name)):
        yield "packages.requirements", f"{where}: "


def _key_of_package(loaded: LoadedSpec, index: int) -> str:
    """Name an item of ``packages``, which may be a list or have one."""
    key = f"packages.list[{index}]"
    return key if key in loaded.positions else f"packages[{index}]"
