"""Where runs take place: in an image that an engine holds, or on this machine's own system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reprobox.engines.base import Engine
from reprobox.engines.local import LocalEngine, LocalImage
from reprobox.plan import Plan
from reprobox.settings import Settings


@dataclass(frozen=True)
class Provided:
    """What a plan's runs take place in."""

    image: str
    """The name by which the place's engines know it."""
    digest: str
    unproved: tuple[str, ...] = ()
    """What it does not hold fast, for the record."""


class Place(Protocol):
    """Engines, and what they run."""

    def connect(self) -> Engine:
        """Return one more engine; all of a place's know the same images."""

    def provide(self, plan: Plan, project: Path, engine: Engine) -> Provided:
        """Have what the plan describes up to date."""


class ContainerPlace:
    """The container engine of this environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def connect(self) -> Engine:
        """Connect to it."""
        from reprobox.engines.docker import connect

        return connect(self._settings.environ)

    def provide(self, plan: Plan, project: Path, engine: Engine) -> Provided:
        """Build the image."""
        from reprobox.build import build_plan

        built = build_plan(plan, project, engine, self._settings)
        return Provided(built.tag, built.image.config_digest)


class LocalPlace:
    """This machine without a container engine."""

    def __init__(self, settings: Settings, python: str) -> None:
        self._settings = settings
        self._python = python
        self._images: dict[str, LocalImage] = {}

    def connect(self) -> LocalEngine:
        """Return an engine that shares the images."""
        return LocalEngine(self._images)

    def provide(self, plan: Plan, project: Path, engine: Engine) -> Provided:
        """Lay out packages, runtime and source."""
        from reprobox.local_image import make_surroundings

        made = make_surroundings(plan, project, self._settings, self._python)
        name = f"local/{plan.name}"
        self._images[name] = made.image
        return Provided(name, made.digest, made.unproved)
