"""Resolve what an image stands on: a Debian release, somebody's image, or an archive; and the Python in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reprobox.engines.base import Engine
from reprobox.errors import BuildError, EngineError, LockError
from reprobox.inputs import hash_file
from reprobox.layers.base_image import (
    SavedImage,
    find_image_layers,
    is_saved_image,
    make_archive_layer,
    read_saved_image,
)
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore
from reprobox.lock import ArchiveBase, DebianBase, DebPackage, ImageBase, PythonTarget
from reprobox.resolve.deb_archive import Downloads
from reprobox.resolve.deb_mirror import DebianMirror, parse_mirror, read_host_mirror, snapshot_mirror
from reprobox.resolve.deb_releases import (
    DebianRelease,
    find_release,
    find_release_with_python,
    list_releases,
    read_debian_facts,
)
from reprobox.resolve.debian import ARCHITECTURES, DebianRequest, resolve_debian, resolve_system
from reprobox.spec.model import Base
from reprobox.steps.runner import STEP_ENV, StepRunner
from reprobox.templating import read_template

AnyBase = DebianBase | ImageBase | ArchiveBase
PROBE = "probe-base.py"


@dataclass(frozen=True)
class BaseRequest:
    """What a spec says of its base, and where things are."""

    python: str
    base: Base
    system: tuple[str, ...]
    project: Path
    mirror: DebianMirror
    architecture: str = "amd64"


@dataclass(frozen=True)
class BaseResolution:
    """What it resolved to."""

    base: AnyBase
    python: PythonTarget
    system: tuple[DebPackage, ...]


def choose_mirror(named: str | None, etc_apt: Path, timestamp: str) -> DebianMirror:
    """Return the mirror to use: the one that was named, else this machine's own, else the snapshot archive's now."""
    if named:
        return parse_mirror(named)
    return read_host_mirror(etc_apt) or snapshot_mirror(timestamp)


def resolve_base(
    request: BaseRequest,
    downloads: Downloads,
    connect: Callable[[], Engine],
    store: LayerStore,
    on_warning: Callable[[str], None],
) -> BaseResolution:
    """Pin the base, its Python and the spec's system packages; only images and archives need an engine."""
    if request.base.image is None and request.base.archive is None:
        release = choose_release(request.python, request.base.debian)
        found = resolve_debian(_debian_request(request, release), downloads, on_warning)
        return BaseResolution(found.base, found.python, found.system)
    engine = connect()
    pinned = _pin_image(request.base, engine, store) if request.base.image else _pin_archive(request, store)
    with StepRunner(engine, store, architecture=request.architecture) as steps:
        probed = _probe_base(pinned, request, steps)
    system: tuple[DebPackage, ...] = ()
    if request.system:
        wanted = _debian_request(request, _release_of(probed))
        _, system = resolve_system(wanted, probed.packages, downloads, on_warning)
    return BaseResolution(pinned.base, probed.python, system)


def choose_release(python: str, debian: str | None) -> DebianRelease:
    """Return the release for a Python version, or the one that was asked for if it has that Python."""
    if debian is None:
        release = find_release_with_python(python)
        if release is None:
            raise LockError(
                f"python {python!r}: no Debian release that can be a base brings it; there are {list_releases()}",
                hint="take one of those, or an image that has it, as in `base: {image: NAME}`",
            )
        return release
    release = find_release(debian)
    if release is None:
        raise LockError(f"base: Debian {debian!r} cannot be a base; there are {list_releases()}")
    if release.python != python:
        raise LockError(
            f"python {python!r}: Debian {release.number} ({release.suite}) brings {release.python}",
            hint=f"say `python: {release.python!r}`, or leave the release out: {list_releases()}",
        )
    return release


@dataclass(frozen=True)
class _Pinned:
    """A base that somebody else made."""

    base: ImageBase | ArchiveBase
    layers: tuple[Layer, ...]
    path: str
    """Where it looks for programs; empty: it does not say."""


def _pin_image(base: Base, engine: Engine, store: LayerStore) -> _Pinned:
    """Find a local image by its sha256, or pull one; have its layers in the store."""
    name = base.image or ""
    if base.sha256 is None and "@sha256:" not in name:
        name = _pull_image(name, engine)
    saved = _save_image(name, engine, store)
    wanted = f"sha256:{(base.sha256 or '').removeprefix('sha256:')}"
    if base.sha256 is not None and saved.config_digest != wanted:
        raise LockError(
            f"base: the image {name} is {saved.config_digest}, not {wanted}",
            hint="load the right image, or write the digest it has now if that is the one you mean",
        )
    diff_ids = tuple(layer.diff_id for layer in saved.layers)
    pinned = ImageBase(name, saved.config_digest, diff_ids, tuple(sorted(saved.env)))
    return _Pinned(pinned, saved.layers, _find_path(saved))


def _pull_image(name: str, engine: Engine) -> str:
    try:
        return engine.pull_image(name)
    except EngineError as exc:
        held = engine.find_image(name) is not None
        hint = "the engine has one of that name: to use it, give its sha256 beside it" if held else exc.hint
        raise LockError(f"base: {exc.message}", hint=hint) from exc


def _save_image(name: str, engine: Engine, store: LayerStore) -> SavedImage:
    if engine.find_image(name) is None:
        _pull_image(name, engine)
    return read_saved_image(engine.save_image(name), f"image {name}", store)


def _find_path(saved: SavedImage) -> str:
    return next((value.removeprefix("PATH=") for value in saved.env if value.startswith("PATH=")), "")


def read_base_layers(
    base: ImageBase | ArchiveBase, project: Path, engine: Engine, store: LayerStore
) -> tuple[Layer, ...]:
    """Return the layers of a pinned base, from the store or else from the engine, its registry or the project."""
    if isinstance(base, ArchiveBase):
        return read_archive_layers(base, project, store)[0]
    if (found := find_image_layers(base.diff_ids, store)) is not None:
        return found
    have = _save_image(base.reference, engine, store)
    if have.config_digest != base.config_digest or tuple(one.diff_id for one in have.layers) != base.diff_ids:
        raise BuildError(
            f"the base image {base.reference} is {have.config_digest} here, but the lock has {base.config_digest}",
            hint="load the image that was locked, or lock again",
        )
    return have.layers


def _pin_archive(request: BaseRequest, store: LayerStore) -> _Pinned:
    name, wanted = request.base.archive or "", request.base.sha256 or ""
    path = request.project / name
    if not path.is_file():
        raise LockError(f"base: the archive {name} is not there", hint="its path counts from the spec's folder")
    have = hash_file(path)
    if have != wanted.removeprefix("sha256:"):
        raise LockError(f"base: the archive {name} has the sha256 {have}, not {wanted}")
    base = ArchiveBase(name, have)
    return _Pinned(base, *read_archive_layers(base, request.project, store))


def read_archive_layers(base: ArchiveBase, project: Path, store: LayerStore) -> tuple[tuple[Layer, ...], str]:
    """Return an archive's layers, one of a root file system or those of a saved image, and where it has programs."""
    path = project / base.path
    if not path.is_file() or hash_file(path) != base.sha256:
        raise BuildError(
            f"the base archive {base.path} is not the one that was locked", hint="restore it or lock again"
        )
    if is_saved_image(path, store):
        saved = read_saved_image(path, base.path, store)
        return saved.layers, _find_path(saved)
    return (make_archive_layer(path, base.sha256, store),), ""


@dataclass(frozen=True)
class _Probed:
    python: PythonTarget
    packages: bytes
    suite: str


def _probe_base(pinned: _Pinned, request: BaseRequest, steps: StepRunner) -> _Probed:
    """Run the base's own interpreter and ask it."""
    what = _name_of(pinned.base)
    script = f'exec "$(command -v python{request.python} || command -v python3 || command -v python)" -I -c "$0"'
    env = {**STEP_ENV, "PATH": pinned.path or STEP_ENV["PATH"]}
    argv = ("/bin/sh", "-c", script, read_template(PROBE))
    try:
        answer = _parse_answer(steps.read_output(pinned.layers, argv, what=f"asking {what} for its Python", env=env))
        python = PythonTarget(answer["version"], answer["executable"], answer["glibc"])
    except (BuildError, ValueError, KeyError) as exc:
        raise LockError(
            f"base: {what} has no Python that works: {exc}", hint=f"the base must bring Python {request.python}"
        ) from exc
    if not python.version.startswith(f"{request.python}."):
        raise LockError(f"python {request.python!r}: the base {what} brings {python.version}")
    if not python.glibc or answer["machine"] != ARCHITECTURES[request.architecture]:
        raise LockError(
            f"base: {what} is for {answer['machine']} with {answer['libc']}",
            hint=f"it must be for {ARCHITECTURES[request.architecture]} and have glibc, as wheels want it",
        )
    return _Probed(python, answer["status"].encode(), answer["suite"])


def _parse_answer(text: bytes) -> dict[str, str]:
    """Read what the base's program printed; the base is not trusted, so anything may be there."""
    answer = json.loads(text)
    if not isinstance(answer, dict) or not all(isinstance(value, str) for value in answer.values()):
        raise ValueError("the answer is none")
    return answer


def _name_of(base: ImageBase | ArchiveBase) -> str:
    return base.reference if isinstance(base, ImageBase) else base.path


def _release_of(probed: _Probed) -> DebianRelease:
    release = find_release(probed.suite) if probed.suite and probed.packages else None
    if release is None:
        raise LockError(
            f"system: Debian packages cannot be added to a base of {probed.suite or 'no Debian release'}",
            hint="put them into the base image, or use a Debian base",
        )
    return release


def _debian_request(request: BaseRequest, release: DebianRelease) -> DebianRequest:
    keyring = Path(read_debian_facts().keyring)
    return DebianRequest(release, request.system, request.mirror, keyring, request.architecture)
