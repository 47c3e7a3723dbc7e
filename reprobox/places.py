"""Where runs take place: in an image that an engine holds, or on this machine's own system."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reprobox.engines.base import Engine, Runner
from reprobox.plan import Plan
from reprobox.remembered import Named, recall_image, remember_image
from reprobox.settings import Settings

if TYPE_CHECKING:
    from reprobox.engines.local import LocalImage


@dataclass(frozen=True)
class Provided:
    """What a plan's runs take place in."""

    image: str
    """The name by which the place's engines know it."""
    digest: str
    unproved: tuple[str, ...] = ()
    """What it does not hold fast, for the record."""


class Place(Protocol):
    """What runs programs, and what it runs them in."""

    @property
    def engine(self) -> Runner:
        """The first of its engines."""

    def connect(self) -> Runner:
        """Return one more engine; all of a place's know the same images."""

    def provide(self, plan: Plan, project: Path) -> Provided:
        """Have what the plan describes up to date."""

    def forget(self, image: str) -> None:
        """Drop what was provided under a name."""


class ContainerPlace:
    """The container engine of this environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def engine(self) -> Engine:
        """The connection that images are built by too."""
        return self.connect()

    def connect(self) -> Engine:
        """Connect to it."""
        from reprobox.engines.docker import connect

        return connect(self._settings.environ)

    def provide(self, plan: Plan, project: Path) -> Provided:
        """Build the image, unless the engine still has the one that this plan came to."""
        image, _ = make_image(plan, project, self.engine, self._settings)
        return Provided(plan.tag, image.config_digest)

    def forget(self, image: str) -> None:
        """Remove the image."""
        self.engine.remove_image(image)


def make_image(plan: Plan, project: Path, engine: Engine, settings: Settings) -> tuple[Named, str]:
    """Have the engine hold a plan's image under the plan's name; return the image, and the engine's ID of it."""
    if known := recall_image(settings.cache, plan, engine):
        return known, engine.info().identify(known).engine_id
    from reprobox.build import build_plan

    built = build_plan(plan, project, engine, settings)
    remember_image(settings.cache, plan, built.image)
    return built.image, built.engine_id


class LocalPlace:
    """This machine without a container engine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._images: dict[str, LocalImage] = {}

    @cached_property
    def engine(self) -> Runner:
        """The first of its engines."""
        return self.connect()

    def connect(self) -> Runner:
        """Return an engine that shares the images."""
        from reprobox.engines.local import LocalEngine

        return LocalEngine(self._images)

    def provide(self, plan: Plan, project: Path) -> Provided:
        """Lay out packages, runtime and source."""
        from reprobox.local_image import make_surroundings

        made = make_surroundings(plan, project, self._settings)
        name = f"local/{plan.name}"
        self._images[name] = made.image
        return Provided(name, made.digest, made.unproved)

    def forget(self, image: str) -> None:
        """Forget the name; the files stay for the next run."""
        del self._images[image]


def open_place(settings: Settings) -> Place:
    """Return where the settings say that runs take place."""
    return LocalPlace(settings) if settings.engine == "local" else ContainerPlace(settings)
