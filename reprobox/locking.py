"""Spec -> Lock: the one stage that asks the outside world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reprobox import __version__
from reprobox.engines.base import Engine
from reprobox.errors import LockError, join_lock_errors
from reprobox.layers.model import LAYER_FORMAT
from reprobox.layers.store import LayerStore
from reprobox.lock import Lock, Sdist, Wheel, spec_digest, spec_keys
from reprobox.reporting import show_activity
from reprobox.resolve.base import BaseRequest, BaseResolution, resolve_base
from reprobox.resolve.cuda import check_cuda, choose_cuda, list_cuda_constraints
from reprobox.resolve.cuda_brought import check_brought, check_cudnn_brought
from reprobox.resolve.deb_closure import UnknownPackages
from reprobox.resolve.sdists import SdistResolution, resolve_sdists
from reprobox.resolve.torch_builds import choose_torch_backend, list_framework_requirements
from reprobox.resolve.wheels import WheelRequest, resolve_wheels
from reprobox.settings import Settings
from reprobox.spec.model import Spec
from reprobox.supply import Supply

INSTALLER = "pip"
"""In every image: a plain ``docker build`` installs with it, and whoever looks inside lists packages with it."""
_BASE_KEYS = ("python", "base", "system")


def resolve_spec(
    spec: Spec,
    project: Path,
    old: Lock | None,
    settings: Settings,
    connect: Callable[[], Engine],
    *,
    requirement_text: str | None,
    upgrade: bool = False,
) -> Lock:
    """Pin everything the spec asks for; what ``old`` has pinned and the spec still wants stays as it is.

    With ``upgrade`` nothing stays: the newest versions that the spec allows are taken.
    """
    keys = spec_keys(spec, requirement_text)
    kept = None if upgrade else old
    supply = Supply(settings, project)
    errors: list[LockError] = []
    base = _keep_base(kept, keys) or _resolve_base(spec, project, supply, settings, connect, errors)
    try:
        packages = _keep_packages(kept, keys, base) or _resolve_packages(spec, project, supply, settings, base, kept)
        _check_cuda(spec, packages.wheels, base)
    except LockError as exc:
        errors.append(exc)
    if errors:
        raise join_lock_errors(errors) from errors[0]
    return Lock(
        reprobox=__version__,
        layer_format=LAYER_FORMAT,
        spec_digest=spec_digest(keys),
        spec_keys=keys,
        base=base.base,
        python=base.python,
        system=base.system,
        wheels=packages.wheels,
        sdists=packages.sdists,
    )


@dataclass(frozen=True)
class _Packages:
    wheels: tuple[Wheel, ...]
    sdists: tuple[Sdist, ...]


def _keep_base(old: Lock | None, keys: tuple[tuple[str, str], ...]) -> BaseResolution | None:
    if old is None or _some_changed(old, keys, _BASE_KEYS):
        return None
    return BaseResolution(old.base, old.python, old.system)


def _keep_packages(old: Lock | None, keys: tuple[tuple[str, str], ...], base: BaseResolution) -> _Packages | None:
    if old is None or old.python != base.python:
        return None
    names = {name for name, _ in (*keys, *old.spec_keys)} - set(_BASE_KEYS)
    return None if _some_changed(old, keys, tuple(names)) else _Packages(old.wheels, old.sdists)


def _some_changed(old: Lock, keys: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> bool:
    then, now = dict(old.spec_keys), dict(keys)
    return any(then.get(name) != now.get(name) for name in names)


def _resolve_base(
    spec: Spec,
    project: Path,
    supply: Supply,
    settings: Settings,
    connect: Callable[[], Engine],
    errors: list[LockError],
) -> BaseResolution:
    """Pin the base; where only the spec's system packages are wrong, add that to ``errors`` and pin it without them."""
    request = BaseRequest(spec.python, spec.base, spec.system, project, supply.mirror)
    store = LayerStore(settings.cache)
    with show_activity(settings.reporter, "resolve the base"):
        downloads, warn = supply.debian_downloads(), settings.reporter.warn
        try:
            return resolve_base(request, downloads, connect, store, warn)
        except UnknownPackages as exc:
            errors.append(exc)
        # The packages are still to be looked at, and the Python they are for does not depend on the system packages.
        return resolve_base(replace(request, system=()), downloads, connect, store, lambda message: None)


def _resolve_packages(
    spec: Spec, project: Path, supply: Supply, settings: Settings, base: BaseResolution, old: Lock | None
) -> _Packages:
    errors: list[LockError] = []
    cuda = choose_cuda(spec.frameworks, spec.cuda, spec.compat)
    # A build that the tables do not know is told by its version alone, and "12" for JAX names no build.
    told = "torch" in spec.compat or (cuda is not None and "." not in cuda)
    backend = None if told else choose_torch_backend(spec.frameworks, cuda)
    with show_activity(settings.reporter, "resolve the packages"):
        built = _resolve_sdists(spec, cuda, supply, old, errors)
        request = WheelRequest(
            requirements=(*built.requirements, INSTALLER),
            requirement_file=project / spec.requirements if spec.requirements else None,
            indexes=spec.indexes,
            python=base.python,
            torch_backend=backend,
            config=supply.config,
            constraints=list_cuda_constraints(spec.frameworks, cuda, spec.cudnn, spec.compat),
            preferences=old.wheels if old else (),
            project=project,
            excluded=spec.from_source,
        )
        try:
            wheels = resolve_wheels(request, settings.reporter.warn)
        except LockError as exc:
            errors.append(built.name_askers(exc))
    if errors:
        raise join_lock_errors(errors) from errors[0]
    return _Packages(wheels, built.sdists)


def _check_cuda(spec: Spec, wheels: tuple[Wheel, ...], base: BaseResolution) -> None:
    """Also where the packages stay as they were, since the base may have brought it."""
    cuda = choose_cuda(spec.frameworks, spec.cuda, spec.compat)
    check_cuda(wheels, cuda)
    if not spec.compat:  # which says what is known better
        check_brought(spec.frameworks, wheels, cuda, base.base)
        check_cudnn_brought(wheels, spec.cudnn, base.base)


def _resolve_sdists(
    spec: Spec, cuda: str | None, supply: Supply, old: Lock | None, errors: list[LockError]
) -> SdistResolution:
    """Pin what is built from source; add what is wrong with that to ``errors`` and go on without it."""
    requirements = (*list_framework_requirements(spec.frameworks, cuda), *spec.packages)
    kept = old.sdists if old else ()
    try:
        return resolve_sdists(spec.from_source, requirements, spec.indexes, supply.config, supply.fetch_sdists, kept)
    except LockError as exc:
        errors.append(exc)
    rest = [line for line in requirements if canonicalize_name(Requirement(line).name) not in spec.from_source]
    return SdistResolution((), tuple(rest))
