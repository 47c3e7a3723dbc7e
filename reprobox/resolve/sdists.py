"""Packages that the spec wants built from source: which archive, and what it needs, read without running it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reprobox.errors import LockError, LockErrors, join_lock_errors
from reprobox.http import open_session, split_credentials
from reprobox.lock import Sdist
from reprobox.lock_fields import CHECKS, check_sdist
from reprobox.resolve.sdist_metadata import read_needs
from reprobox.resolve.wheel_pins import hash_offered, measure_offered
from reprobox.sdist_places import find_archives
from reprobox.uv import PythonConfig

Fetch = Callable[[Sequence[Sdist]], Mapping[str, Path]]
"""Returns sha256 -> file."""


@dataclass(frozen=True)
class SdistResolution:
    """The archives, and what remains for uv to resolve to wheels."""

    sdists: tuple[Sdist, ...]
    requirements: tuple[str, ...]
    """The spec's own without the archives' packages, what those need, and what builds them."""
    asked: tuple[tuple[str, str], ...] = ()
    """Requirement, and the archive that asks for it."""

    def name_askers(self, error: LockError) -> LockError:
        """Say of an error what an archive asks for of the packages in it: uv has it for a wish of the spec's."""
        if isinstance(error, LockErrors):
            return LockErrors([self.name_askers(one) for one in error.errors])
        found = [(line, asker) for line, asker in self.asked if _is_named(Requirement(line).name, error.message)]
        if not found:
            return error
        lines = [f"\n  {line} is what the source archive of {asker} says it needs" for line, asker in found]
        wheel = f"name a folder under `indexes` that has a wheel of {found[0][1]}, which may need less"
        hint = f"{error.hint}; or {wheel}" if error.hint else wheel
        return LockError(error.message + "".join(lines), hint=hint, about=error.about)


def resolve_sdists(
    names: Sequence[str],
    requirements: Sequence[str],
    own_indexes: Sequence[str],
    config: PythonConfig,
    fetch: Fetch,
    kept: Sequence[Sdist] = (),
) -> SdistResolution:
    """Pin the source archives of ``names``, each of which ``requirements`` name with an exact version.

    What ``kept`` has in the same version stays. Raises LockError for one that is nowhere, or that needs another of
    them in a version that was not asked for.
    """
    if not names:
        return SdistResolution((), tuple(requirements))
    parsed = [Requirement(line) for line in requirements]
    versions: dict[str, str] = {canonicalize_name(one.name): _exact_version(one) for one in parsed}
    known = {(sdist.name, sdist.version): sdist for sdist in kept}
    wanted = [(name, versions[name]) for name in sorted(names)]
    sdists = _pin_all(wanted, known, lambda name, version: _pin(name, version, own_indexes, config))
    files = fetch(sdists)
    rest = [str(one) for one in parsed if canonicalize_name(one.name) not in names]
    asked = []
    for sdist in sdists:
        needs = _list_needs(sdist, files[sdist.sha256], {one.name: one.version for one in sdists})
        asked += [(line, f"{sdist.name} {sdist.version}") for line in needs]
        rest += needs
    return SdistResolution(sdists, tuple(dict.fromkeys(rest)), tuple(asked))


def _is_named(name: str, text: str) -> bool:
    written = re.escape(canonicalize_name(name)).replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w.-]){written}(?![\w-])", text, re.IGNORECASE) is not None


def _exact_version(requirement: Requirement) -> str:
    return next((clause.version for clause in requirement.specifier if clause.operator == "=="), "")


def _pin_all(
    wanted: Sequence[tuple[str, str]],
    known: Mapping[tuple[str, str], Sdist],
    pin: Callable[[str, str], Sdist],
) -> tuple[Sdist, ...]:
    """Pin each package, or raise what is wrong with all of them."""
    sdists: list[Sdist] = []
    errors: list[LockError] = []
    for one in wanted:
        try:
            sdists.append(known.get(one) or pin(*one))
        except LockError as exc:
            errors.append(exc)
    if errors:
        raise join_lock_errors(errors)
    return tuple(sdists)


def _pin(name: str, version: str, own_indexes: Sequence[str], config: PythonConfig) -> Sdist:
    with open_session(config.http) as session:
        place, file = next(find_archives(name, version, own_indexes, config, session), ("", None))
        if file is None:
            raise LockError(
                f"{name} {version}: no index or find-links folder of this machine has its source archive",
                hint="take it out of `from_source`, or choose another version",
                about=name,
            )
        sdist = Sdist(
            name=name,
            version=version,
            filename=file.filename,
            sha256=file.sha256 or hash_offered(file, session, config.http),
            size=file.size or measure_offered(file, session, config.http),
            index=split_credentials(place)[0] if place in own_indexes else "",
        )
    if problem := CHECKS["Sdist.filename"](sdist.filename) or check_sdist(sdist):
        raise LockError(f"the index offers {sdist.filename!a}: {problem}", hint="use another index", about=name)
    return sdist


def _list_needs(sdist: Sdist, path: Path, built: Mapping[str, str]) -> list[str]:
    """List what an archive needs, to be built and to be used, beside what is built from source like it."""
    needs = []
    for requirement in read_needs(path, sdist.filename):
        name = canonicalize_name(requirement.name)
        if name not in built:
            needs.append(str(requirement))
        elif not requirement.specifier.contains(built[name], prereleases=True):
            raise LockError(
                f"{sdist.name} {sdist.version} needs {requirement}, and {name} {built[name]} is built from source",
                hint=f"choose another version of {name} or of {sdist.name}",
                about=sdist.name,
            )
    return needs
