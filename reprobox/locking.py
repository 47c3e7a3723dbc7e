"""Spec -> Lock: the one stage that asks the outside world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reprobox import __version__
from reprobox.engines.base import Engine
from reprobox.layers.model import LAYER_FORMAT
from reprobox.layers.store import LayerStore
from reprobox.lock import Lock, Wheel, spec_digest, spec_keys
from reprobox.reporting import show_activity
from reprobox.resolve.base import BaseRequest, BaseResolution, resolve_base
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
    base = _keep_base(kept, keys) or _resolve_base(spec, project, supply, settings, connect)
    wheels = _keep_wheels(kept, keys, base) or _resolve_wheels(spec, project, supply, settings, base, kept)
    return Lock(
        reprobox=__version__,
        layer_format=LAYER_FORMAT,
        spec_digest=spec_digest(keys),
        spec_keys=keys,
        base=base.base,
        python=base.python,
        system=base.system,
        wheels=wheels,
    )


def _keep_base(old: Lock | None, keys: tuple[tuple[str, str], ...]) -> BaseResolution | None:
    if old is None or _some_changed(old, keys, _BASE_KEYS):
        return None
    return BaseResolution(old.base, old.python, old.system)


def _keep_wheels(old: Lock | None, keys: tuple[tuple[str, str], ...], base: BaseResolution) -> tuple[Wheel, ...] | None:
    if old is None or old.python != base.python:
        return None
    names = {name for name, _ in (*keys, *old.spec_keys)} - set(_BASE_KEYS)
    return None if _some_changed(old, keys, tuple(names)) else old.wheels


def _some_changed(old: Lock, keys: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> bool:
    then, now = dict(old.spec_keys), dict(keys)
    return any(then.get(name) != now.get(name) for name in names)


def _resolve_base(
    spec: Spec, project: Path, supply: Supply, settings: Settings, connect: Callable[[], Engine]
) -> BaseResolution:
    request = BaseRequest(spec.python, spec.base, spec.system, project, supply.mirror)
    store = LayerStore(settings.cache)
    with show_activity(settings.reporter, "resolve the base"):
        return resolve_base(request, supply.debian_downloads(), connect, store, settings.reporter.warn)


def _resolve_wheels(
    spec: Spec, project: Path, supply: Supply, settings: Settings, base: BaseResolution, old: Lock | None
) -> tuple[Wheel, ...]:
    request = WheelRequest(
        requirements=(*list_framework_requirements(spec.frameworks, spec.cuda), *spec.packages, INSTALLER),
        requirement_file=project / spec.requirements if spec.requirements else None,
        indexes=spec.indexes,
        python=base.python,
        torch_backend=choose_torch_backend(spec.frameworks, spec.cuda),
        config=supply.config,
        preferences=old.wheels if old else (),
        project=project,
    )
    with show_activity(settings.reporter, "resolve the packages"):
        return resolve_wheels(request, settings.reporter.warn)
