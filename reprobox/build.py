"""Plan -> image in the engine: have the files, make the layers, put them together, load, check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from reprobox.engines.base import Engine
from reprobox.errors import BuildError, EngineError
from reprobox.image import Image, assemble_image, load_image
from reprobox.image_settings import USER, WORKDIR, make_image_settings
from reprobox.layers.bytecode import ContainerCompiler, compiler_identity
from reprobox.layers.files import make_files_layer, venv_entries
from reprobox.layers.model import Layer
from reprobox.layers.store import DamagedLayer, LayerStore
from reprobox.layers.tar import Entry
from reprobox.layers.wheel import Made, find_missing_groups, group_wheels, make_wheel_layers
from reprobox.layers.wheel_tar import WheelFile
from reprobox.lock import DebianBase, ImageBase, Wheel
from reprobox.plan import Plan
from reprobox.reporting import format_count, show_activity, show_tasks
from reprobox.runtime_files import list_runtime_files
from reprobox.settings import Settings
from reprobox.source_files import list_source_entries
from reprobox.steps.ahead import LoadAhead
from reprobox.steps.debian import find_base_layer, find_system_layer, make_base_layer, make_system_layer
from reprobox.steps.runner import StepRunner, describe_run_step, find_run_layer, make_run_layer
from reprobox.steps.sources import build_wheel, describe_build, find_built_wheel
from reprobox.supply import Supply

_ATTEMPTS = 3
"""A damaged layer is thrown out when it is found; more than one may be, but not at every try."""


@dataclass(frozen=True)
class BuiltImage:
    """An image that the engine holds."""

    image: Image
    tag: str
    engine_id: str


def build_plan(plan: Plan, project: Path, engine: Engine, settings: Settings, tag: str = "") -> BuiltImage:
    """Make the image of a plan and have the engine hold it under ``tag``, or ``reprobox/NAME:latest``.

    What is damaged in the cache, layer or download, is had again. Raises ``BuildError`` or ``EngineError``.
    """
    for attempt in range(_ATTEMPTS):
        site = _Site(plan, project, engine, settings)
        try:
            with site:
                return _load(site.make_image(), tag or plan.tag, engine, site.store, settings)
        except BuildError as exc:
            # A damaged download shows in as many ways as there are bytes in it; only hashing it tells.
            healed = isinstance(exc, DamagedLayer) or site.supply.drop_damaged()
            if attempt == _ATTEMPTS - 1 or not healed:
                raise
            settings.reporter.warn(f"{exc.message}: making it again")
    raise AssertionError("unreachable")


def _load(image: Image, tag: str, engine: Engine, store: LayerStore, settings: Settings) -> BuiltImage:
    task = f"load {tag}"
    moved = 0
    advance = None

    def show(sent: int, total: int) -> None:
        nonlocal moved, advance
        if advance is None or sent < moved:  # the engine wants the whole image after all
            advance, moved = settings.reporter.start_task(task, total), 0
        advance(sent - moved)
        moved = sent

    try:
        engine_id = load_image(engine, image, tag, store, show)
    finally:
        if advance is not None:
            settings.reporter.end_task(task)
    return BuiltImage(image, tag, engine_id)


class _Site(AbstractContextManager["_Site"]):
    """Where one image is made: the stores, the engine, and steps that are tidied up after."""

    def __init__(self, plan: Plan, project: Path, engine: Engine, settings: Settings) -> None:
        self.store = LayerStore(settings.cache)
        self._plan = plan
        self._project = project
        self._engine = engine
        self._reporter = settings.reporter
        self.supply = Supply(settings, project)
        self._steps = StepRunner(engine, self.store)
        self._open_steps = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # What compiles in another thread does not see the interruption, and would go on to its end.
            with suppress(EngineError):  # tidying hides no failure
                self._engine.stop_containers()
        self._open_steps.__exit__(kind, error, trace)
        self._steps.__exit__(kind, error, trace)

    def make_image(self) -> Image:
        """Make every layer that is not there, lowest first, and write the image's configuration."""
        plan = self._plan
        layers = [*self._make_base()]
        layers += self._make_system(layers)
        layers.append(self._make_venv())
        layers += self._make_packages(tuple(layers))
        for command in plan.run:
            layers.append(self._make_step(command, tuple(layers)))
        layers += [make_runtime_layer(plan, self.store), make_source_layer(plan, self._project, self.store)]
        return assemble_plan(plan, layers)

    def _make_base(self) -> Sequence[Layer]:
        base = self._plan.base
        if not isinstance(base, DebianBase):
            from reprobox.resolve.base import read_base_layers  # late: most builds never resolve anything

            return read_base_layers(base, self._project, self._engine, self.store)
        if found := find_base_layer(base, self.store):
            return (found,)
        files = self.supply.fetch_debs(base.packages, base.snapshot)
        with show_activity(self._reporter, f"bootstrap Debian {base.suite}"):
            return (make_base_layer(base, [(one, files[one.sha256]) for one in base.packages], self._steps),)

    def _make_system(self, lower: Sequence[Layer]) -> Sequence[Layer]:
        packages = self._plan.system
        if not packages:
            return ()
        if found := find_system_layer(packages, lower, self.store):
            return (found,)
        files = self.supply.fetch_debs(packages, _snapshot_of(self._plan))
        with show_activity(self._reporter, f"install {format_count(len(packages), 'Debian package')}"):
            return (make_system_layer([(one, files[one.sha256]) for one in packages], lower, self._steps),)

    def _make_step(self, command: str, lower: Sequence[Layer]) -> Layer:
        if found := find_run_layer(command, lower, self.store):
            return found
        with show_activity(self._reporter, describe_run_step(command)):
            return make_run_layer(command, lower, self._steps, self._reporter.warn)

    def _make_packages(self, lower: tuple[Layer, ...]) -> Sequence[Layer]:
        """Make the layers of the locked wheels, and above them those of what is built from source with them."""
        groups = group_wheels(self._plan.wheels)
        layers = tuple(self._make_wheels(lower, groups))
        if not self._plan.sdists:
            return layers
        built = self._build_sdists((*lower, *layers))
        # With the others again, which are there by now: all are to be compared with each other.
        all_groups = (*groups, tuple(wheel for wheel, _ in built))
        both = self._make_wheels(lower, all_groups, {wheel.sha256: path for wheel, path in built})
        known = {layer.diff_id for layer in layers}
        return (*layers, *(layer for layer in both if layer.diff_id not in known))

    def _build_sdists(self, lower: tuple[Layer, ...]) -> tuple[WheelFile, ...]:
        plan = self._plan
        found = {sdist: find_built_wheel(sdist, lower, self.store) for sdist in plan.sdists}
        missing = [sdist for sdist in plan.sdists if found[sdist] is None]
        files = self.supply.fetch_sdists(missing) if missing else {}
        for sdist in missing:
            with show_activity(self._reporter, describe_build(sdist)):
                found[sdist] = build_wheel(sdist, files[sdist.sha256], lower, self._steps, self._reporter.warn)
        return tuple(built for built in found.values() if built is not None)

    def _make_wheels(
        self, lower: tuple[Layer, ...], groups: Sequence[Sequence[Wheel]], built: Mapping[str, Path] | None = None
    ) -> Sequence[Layer]:
        plan, interpreter = self._plan, interpreter_identity(self._plan)
        built = built or {}
        missing = find_missing_groups(groups, plan.python, compiler_identity(interpreter), self.store)
        wanted = [wheel for group in missing for wheel in group]
        locked = [wheel for wheel in wanted if wheel.sha256 not in built]
        files = {**built, **(self.supply.fetch_wheels(locked, plan.python) if locked else {})}
        image = self._steps.load(lower) if wanted else ""
        # What was built stands above everything, so its place is no guess; the others were loaded before.
        ahead = self._load_ahead(lower, len(groups)) if wanted and not built else nullcontext()
        compiler = self._open_steps.enter_context(
            ContainerCompiler(self._engine, image, plan.python.executable, interpreter)
        )
        if wanted:
            compiler.start()  # while the wheels are opened
        with show_tasks(self._reporter, "layer") as show, ahead as on_made:
            # All of them, made or not: wheels of layers that never met in one image may want the same path.
            layers = make_wheel_layers(
                [[(wheel, files.get(wheel.sha256, Path())) for wheel in group] for group in groups],
                plan.python,
                compiler,
                self.store,
                on_progress=show,
                on_made=on_made,
            )
            compiler.finish()
            return layers

    @contextmanager
    def _load_ahead(self, lower: tuple[Layer, ...], groups: int) -> Iterator[Made | None]:
        """Yield what has the engine load layers on top of ``lower`` while others are still being made."""
        if self._engine.info().name != "docker":
            yield None  # Podman wants every layer at every load
            return
        with (
            show_tasks(self._reporter, "loading") as show,
            LoadAhead(self._steps, lower, 2 * groups, show) as ahead,
        ):
            yield ahead.add

    def _make_venv(self) -> Layer:
        python = self._plan.python
        key = f"venv {python}"
        return make_files_layer(venv_entries(python), key, "virtual environment", self.store)


def make_runtime_layer(plan: Plan, store: LayerStore) -> Layer:
    """Return the layer of reprobox's own files; it needs no engine."""
    files = list_runtime_files(plan)
    key = "runtime " + _hash_entries((entry, hashlib.sha256(data or b"").hexdigest()) for entry, data in files)
    return make_files_layer(files, key, "runtime", store)


def make_source_layer(plan: Plan, project: Path, store: LayerStore) -> Layer:
    """Return the layer of the project's source; it needs no engine."""
    files = list_source_entries(plan.source, project)
    digests = {f"work/{file.path}": file.sha256 for file in plan.source}
    key = "source " + _hash_entries((entry, digests.get(entry.path, "")) for entry, _ in files)
    return make_files_layer(files, key, "source", store, digests=digests)


def assemble_plan(plan: Plan, layers: Sequence[Layer]) -> Image:
    """Write a plan's image over its layers."""
    settings = make_image_settings(plan)
    return assemble_image(
        layers,
        env=plan.env,
        entrypoint=settings.entrypoint,
        labels=dict(settings.labels),
        user=USER,
        workdir=WORKDIR,
    )


def interpreter_identity(plan: Plan) -> str:
    """Return everything about the image's interpreter that bytecode may depend on."""
    base, python = plan.base, plan.python
    if isinstance(base, DebianBase):
        short = ".".join(python.version.split(".")[:2])
        package = next((one for one in base.packages if one.name == f"python{short}-minimal"), None)
        return f"{python.version} {package.sha256 if package else base.packages}"
    return f"{python.version} {base.config_digest if isinstance(base, ImageBase) else base.sha256}"


def _snapshot_of(plan: Plan) -> str:
    return plan.base.snapshot if isinstance(plan.base, DebianBase) else ""


def _hash_entries(entries: Iterable[tuple[Entry, str]]) -> str:
    digest = hashlib.sha256()
    for entry, content in entries:
        digest.update(repr((*entry, content)).encode())
    return digest.hexdigest()
