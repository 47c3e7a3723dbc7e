"""Point at the place in a spec that a failed resolution comes from."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reprobox.errors import LockError, Problem
from reprobox.resolve.deb_closure import UnknownPackages
from reprobox.spec.positions import LoadedSpec


def find_culprits(loaded: LoadedSpec, error: LockError) -> tuple[Problem, ...]:
    """Return the problems that ``error`` means for keys of the spec; none where the spec does not name what failed."""
    if isinstance(error, UnknownPackages):
        names = list(loaded.spec.system)
        found = [(f"system[{names.index(name)}]", *said) for name, said in error.problems.items() if name in names]
        return tuple(loaded.problem(key, message, hint) for key, message, hint in found)
    key = _find_requirement(loaded, canonicalize_name(error.about)) if error.about else None
    return (loaded.problem(key, error.message, error.hint or ""),) if key else ()


def _find_requirement(loaded: LoadedSpec, name: str) -> str | None:
    spec = loaded.spec
    for framework in spec.frameworks:
        if canonicalize_name(framework) == name:
            return f"frameworks.{framework}"
    for index, line in enumerate(spec.packages):
        if canonicalize_name(Requirement(line).name) == name:
            return f"packages[{index}]"
    return None
