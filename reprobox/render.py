"""Plan -> build context: have every file, then write the folder."""

from __future__ import annotations

from pathlib import Path

from reprobox.context import write_context
from reprobox.layers.store import LayerStore
from reprobox.lock import DebianBase
from reprobox.plan import Plan
from reprobox.settings import Settings
from reprobox.steps.debian import make_unpacked_layer
from reprobox.supply import Supply


def render_plan(plan: Plan, project: Path, out: Path, settings: Settings) -> None:
    """Write the build context of a plan into ``out``; needs no engine, and no network once everything is cached."""
    supply = Supply(settings, project)
    blobs = dict(supply.fetch_wheels(plan.wheels, plan.python))
    unpacked = None
    if isinstance(plan.base, DebianBase):
        debs = supply.fetch_debs((*plan.base.packages, *plan.system), plan.base.snapshot)
        blobs |= debs
        packages = [(one, debs[one.sha256]) for one in plan.base.packages]
        unpacked = make_unpacked_layer(plan.base, packages, LayerStore(settings.cache)).path
    elif plan.system:
        blobs |= supply.fetch_debs(plan.system, "")
    write_context(plan, project, out, blobs, unpacked)
