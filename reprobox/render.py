"""Plan -> build context: have every file, then write the folder."""

from __future__ import annotations

from pathlib import Path

from reprobox.context import write_context
from reprobox.errors import BuildError
from reprobox.layers.store import LayerStore
from reprobox.lock import ArchiveBase, DebianBase, ImageBase
from reprobox.plan import Plan
from reprobox.resolve.base import read_archive_layers
from reprobox.settings import Settings
from reprobox.steps.debian import make_unpacked_layer
from reprobox.supply import Supply


def render_plan(plan: Plan, project: Path, out: Path, settings: Settings) -> None:
    """Write the build context of a plan into ``out``; needs no engine, and no network once everything is cached."""
    supply, store = Supply(settings, project), LayerStore(settings.cache)
    blobs = {**supply.fetch_wheels(plan.wheels, plan.python), **supply.fetch_sdists(plan.sdists)}
    match plan.base:
        case DebianBase(packages=packages, snapshot=snapshot):
            debs = supply.fetch_debs((*packages, *plan.system), snapshot)
            unpacked = make_unpacked_layer(plan.base, [(one, debs[one.sha256]) for one in packages], store)
            write_context(plan, project, out, {**blobs, **debs}, unpacked.path)
        case ArchiveBase():
            debs = supply.fetch_debs(plan.system, "")
            write_context(plan, project, out, {**blobs, **debs}, _find_root(plan.base, project, store))
        case ImageBase():
            debs = supply.fetch_debs(plan.system, "")
            write_context(plan, project, out, {**blobs, **debs}, None)


def _find_root(base: ArchiveBase, project: Path, store: LayerStore) -> Path:
    """Return an archive's files as one tar that every builder can unpack."""
    layers, _ = read_archive_layers(base, project, store)
    if len(layers) != 1:
        raise BuildError(
            f"the base archive {base.path} is an image of {len(layers)} layers, which a Dockerfile cannot unpack",
            hint="`reprobox build` takes it as it is; else load it and write `base: {image: NAME, sha256: …}`",
        )
    return layers[0].path
