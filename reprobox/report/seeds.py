"""エ: from what was asked for, and what the processes said they did, to the random seeds.

The program that ran there is not trusted: whatever it left may be of any kind and length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reprobox.pins import list_promises
from reprobox.report.environment_model import (
    DeclaredSeed,
    ObservedBackend,
    ObservedSeeds,
    ObservedSwitch,
    Promised,
    PromisedPart,
    SeedSection,
    SeenSuspect,
)
from reprobox.report.sources import Sources
from reprobox.report.values import Origin
from reprobox.verdict import describe_gpus

_LONGEST = 300
_MOST = 200
Process = Mapping[str, Any]


def describe_seeds(sources: Sources) -> SeedSection:
    """Return the section."""
    return SeedSection(
        declared=_describe_declared(sources),
        observed=_describe_observed(sources),
        promised=_describe_promised(sources),
        no_randomness=sources.declared.state("randomness"),
    )


def _describe_declared(sources: Sources) -> DeclaredSeed:
    record, plan = sources.record, sources.plan
    if (record.seed, record.level) == (plan.seed, plan.level.value):
        origin, trace = Origin.DECLARED, sources.spec_file.trace("seed", "determinism")
    else:
        # The spec says another: this one was given by a sweep, or by the spec as it was.
        origin, trace = Origin.MEASURED, sources.run_file.trace("seed", "level")
    return DeclaredSeed(origin, trace, record.seed, record.level, dict(record.switches))


def _describe_observed(sources: Sources) -> ObservedSeeds:
    record = sources.record
    seeded: list[Process] = [one for one in record.runtime.processes if one.get("role") != "entrypoint"]
    suspects = record.suspects[:_MOST]
    return ObservedSeeds(
        origin=Origin.MEASURED,
        trace=sources.run_file.trace("runtime.processes", "suspects"),
        processes=len(seeded),
        backends=_merge_backends(seeded)[:_MOST],
        switches=_merge_switches(seeded)[:_MOST],
        suspects=tuple(SeenSuspect(one.kind, one.where, one.count, one.detail) for one in suspects if one.kind),
    )


def _describe_promised(sources: Sources) -> Promised:
    """It follows from the run's level, its packages and its GPUs."""
    record = sources.record
    cpu = str(record.switches.get("cpu", ""))
    # Without the image's own packages nothing is known of them.
    found = list_promises(cpu, dict(sources.plan.versions)) if sources.has_lock else ()
    trace = (
        *sources.run_file.trace("level", "switches", *(("gpus",) if record.gpus else ())),
        *(sources.lock_file.trace("wheels") if found else ()),
    )
    return Promised(
        origin=Origin.MEASURED,
        trace=trace,
        level=record.level,
        cpu=cpu or None,
        parts=tuple(PromisedPart(one.id, one.what, one.holds) for one in found),
        gpus=describe_gpus(record.gpus) or None,
    )


def _merge_backends(processes: list[Process]) -> tuple[ObservedBackend, ...]:
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for process in processes:
        for name, found in _entries(process.get("backends")):
            groups.setdefault((_text(process.get("stage")), name), []).append(found)
    return tuple(_merge_backend(stage, name, found) for (stage, name), found in sorted(groups.items()))


def _merge_backend(stage: str, name: str, found: list[Mapping[str, Any]]) -> ObservedBackend:
    seeds = sorted({seed for one in found if type(seed := one.get("seed")) is int and abs(seed) < 2**64})
    version = ", ".join(sorted({_text(one.get("version")) for one in found} - {""}))
    detail = next((text for one in found if (text := _text(one.get("detail")))), "")
    return ObservedBackend(stage, name, version, tuple(seeds[:_MOST]), len(found), detail)


def _merge_switches(processes: list[Process]) -> tuple[ObservedSwitch, ...]:
    found = {
        ObservedSwitch(name, _show(one.get("wanted")), _show(one.get("value")), _text(one.get("status")) or "?")
        for process in processes
        for name, one in _entries(process.get("switches"))
    }
    return tuple(sorted(found, key=lambda one: (one.name, one.wanted, one.value, one.status)))


def _entries(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, one in value.items() if isinstance(value, dict) else ():
        if isinstance(one, dict) and _text(name).strip():
            yield _text(name), one


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _show(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else json.dumps(value)[:_LONGEST]
