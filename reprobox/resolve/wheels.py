"""Requirements to locked wheels: name, version, file and hash of each, for the image's Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reprobox.errors import LockError, join_lock_errors
from reprobox.http import read_credentials
from reprobox.lock import PythonTarget, Wheel
from reprobox.resolve.asking import Asker
from reprobox.resolve.requirement_files import check_requirements, read_requirement_file
from reprobox.resolve.torch_builds import find_wrong_builds, is_about_torch, pin_build
from reprobox.resolve.wheel_pins import Pinner
from reprobox.simple_index import is_links
from reprobox.uv import PythonConfig, Question, Resolved, UvRefused
from reprobox.wheel_tags import name_uv_platform

_MOST_REFUSALS = 20
"""So many packages that cannot be had are told at once: each costs one resolution more."""


@dataclass(frozen=True)
class WheelRequest:
    """What to resolve, for which image."""

    requirements: tuple[str, ...]
    requirement_file: Path | None
    indexes: tuple[str, ...]
    """The spec's own."""
    python: PythonTarget
    torch_backend: str | None
    """"cpu" or "cu130": which build of torch and its family; ``None`` leaves it to the versions."""
    config: PythonConfig
    preferences: tuple[Wheel, ...] = ()
    """The old lock's wheels: what still fits is kept."""
    upgrade: bool = False
    """Forget ``preferences``."""
    architecture: str = "x86_64"
    project: Path | None = None
    """The project's folder: uv reads its own settings there."""
    excluded: tuple[str, ...] = ()
    """Names of packages that are built from source."""
    constraints: tuple[str, ...] = ()
    """What holds CUDA's wheels to the spec's version."""


def resolve_wheels(request: WheelRequest, on_warning: Callable[[str], None]) -> tuple[Wheel, ...]:
    """Resolve ``request`` with uv and pin every wheel, sorted by name.

    An index that cannot be reached is a warning when everything resolves without it. Raises LockError otherwise.
    """
    requirements = check_requirements(request.requirements)
    if request.requirement_file:
        root = request.project or request.requirement_file.parent
        requirements += read_requirement_file(request.requirement_file, root, request.config)
    if not requirements:
        return ()
    indexes, links = split_indexes(request.indexes)
    config = replace(
        request.config,
        indexes=(*indexes, *request.config.indexes),
        links=(*links, *request.config.links),
        http=replace(
            request.config.http,
            credentials=(*read_credentials(request.indexes), *request.config.http.credentials),
        ),
    )
    asker = Asker(config, on_warning)
    packages = _resolve_or_tell_all(_make_question(request, requirements), request.torch_backend, asker)
    _refuse_overridden(requirements, packages)
    pinner = Pinner(
        target=request.python,
        architecture=request.architecture,
        kept=() if request.upgrade else request.preferences,
        known=request.preferences,
        own_indexes=request.indexes,
        http=config.http,
    )
    wheels = pinner.pin_all(packages)
    _refuse_impostors(wheels, request, asker)
    return wheels


def _refuse_overridden(requirements: tuple[str, ...], packages: tuple[Resolved, ...]) -> None:
    """Never lock another version than the spec says, whatever uv's own settings replace."""
    versions = {canonicalize_name(one.name): one.version for one in packages}
    for wanted in map(Requirement, requirements):
        found = versions.get(canonicalize_name(wanted.name))
        # Where a marker does not hold, the version is somebody else's.
        if found and not wanted.marker and not wanted.specifier.contains(found, prereleases=True):
            raise LockError(
                f"{wanted} is asked for, and uv takes {found}: one of its settings replaces the version",
                hint="it is `override-dependencies` in uv.toml or [tool.uv] of pyproject.toml, or UV_OVERRIDE;"
                " take it out, or write that version into the spec",
            )


def _refuse_impostors(wheels: tuple[Wheel, ...], request: WheelRequest, asker: Asker) -> None:
    """Never let another index quietly take over a name while the spec's own index for it is down."""
    before = {wheel.name: wheel for wheel in request.preferences if wheel.index in asker.unreachable}
    for wheel in wheels:
        old = before.get(wheel.name)
        if old and old.sha256 != wheel.sha256:
            raise LockError(
                f"{old.name} {old.version} came from {old.index}, which cannot be reached, and another index offers"
                f" {wheel.name} {wheel.version}",
                hint="lock again when that index answers, or take it out of the spec's `indexes`",
            )


def split_indexes(urls: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part the spec's places into simple indexes and find-links."""
    links = tuple(url for url in urls if is_links(url))
    return tuple(url for url in urls if url not in links), links


def _make_question(request: WheelRequest, requirements: tuple[str, ...]) -> Question:
    kept = () if request.upgrade else tuple((wheel.name, wheel.version) for wheel in request.preferences)
    return Question(
        requirements=requirements,
        python_version=request.python.short,
        platform=name_uv_platform(request.python, request.architecture),
        constraints=request.constraints,
        preferences=kept,
        excluded=request.excluded,
        folder=request.project,
    )


def _resolve_or_tell_all(question: Question, backend: str | None, asker: Asker) -> tuple[Resolved, ...]:
    """Resolve; when that fails, leave out each package that cannot be had and ask again what is wrong besides.

    What is wrong with some of the requirements is wrong with all of them, so nothing that is told follows from this.
    """
    try:
        return _resolve_builds(question, backend, asker)
    except LockError as exc:
        errors = [exc]
    asker.be_quiet()
    while len(errors) < _MOST_REFUSALS:
        rest = tuple(line for line in question.requirements if not _is_named(line, errors[-1].about))
        if len(rest) in (0, len(question.requirements)):
            break
        question = replace(question, requirements=rest)
        try:
            _resolve_builds(question, backend, asker)
            break
        except LockError as exc:
            errors.append(exc)
    raise join_lock_errors(list({error.message: error for error in errors}.values())) from errors[0]


def _is_named(requirement: str, name: str) -> bool:
    return canonicalize_name(Requirement(requirement).name) == canonicalize_name(name)


def _resolve_builds(question: Question, backend: str | None, asker: Asker) -> tuple[Resolved, ...]:
    """Resolve with the wanted build of torch: from this machine's indexes, else from PyTorch's own.

    The machine's are asked first, with the build's exact version, so that nobody needs PyTorch's index who has the
    wheel elsewhere, and so that both ways end in the same lock.
    """
    if backend is None:
        return asker.ask(question)
    pinned = replace(question, requirements=tuple(pin_build(line, backend) for line in question.requirements))
    try:
        found: tuple[Resolved, ...] | None = asker.try_to_ask(pinned)
        if found is not None and not find_wrong_builds(found, backend):
            return found
        refusal = None
    except UvRefused as exc:
        if not is_about_torch(str(exc)):
            raise asker.explain(exc, pinned) from exc
        found, refusal = None, exc
    return _ask_pytorch(replace(question, torch_backend=backend), found, refusal, asker)


def _ask_pytorch(
    question: Question, found: tuple[Resolved, ...] | None, refusal: UvRefused | None, asker: Asker
) -> tuple[Resolved, ...]:
    backend = question.torch_backend or ""
    try:
        return asker.try_to_ask(question)
    except UvRefused as exc:
        if not asker.is_unreachable(exc):
            raise asker.explain(exc, question) from exc
        if found is None:
            raise asker.explain_no_build(backend, refusal or exc) from exc
        wrong = ", ".join(f"{item.name} {item.version}" for item in find_wrong_builds(found, backend))
        asker.warn(f"PyTorch's own index cannot be reached, so these are not the {backend} builds: {wrong}")
        return found
