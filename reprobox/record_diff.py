"""Two run records -> what was not the same about the runs, apart from what they computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reprobox.records import RunRecord, StageRecord

NAMED_GROUPS = ("image", "seed", "host", "engine")
"""What is in these has names of ours; in the others they are the program's own."""


@dataclass(frozen=True)
class Fact:
    """One thing that two runs do not share."""

    group: str
    """"image", "seed", "environment", "inputs", "host", "engine", "runtime" or "stages"."""
    name: str
    a: str
    b: str
    """"" where a run has no such thing."""


def compare_circumstances(a: RunRecord, b: RunRecord) -> tuple[Fact, ...]:
    """Return what differs in image, seed, switches, environment, inputs, machine, engine and runtime."""
    groups = (
        ("image", _describe_image),
        ("seed", _describe_seed),
        ("environment", lambda record: record.environment),
        ("inputs", lambda record: record.inputs),
        ("host", _describe_host),
        ("engine", _describe_engine),
        ("runtime", _describe_runtime),
        ("stages", _describe_stages),
    )
    return tuple(
        Fact(group, name, one, other)
        for group, describe in groups
        for name, one, other in _compare_maps(describe(a), describe(b))
    )


def compare_cpu_flags(a: RunRecord, b: RunRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the processor features that only A's machine has, and those that only B's has."""
    one, other = set(a.host.cpu_flags), set(b.host.cpu_flags)
    return tuple(sorted(one - other)), tuple(sorted(other - one))


def _compare_maps(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys((*a, *b)):
        if a.get(name, "") != b.get(name, ""):
            yield name, a.get(name, ""), b.get(name, "")


def _describe_image(record: RunRecord) -> dict[str, str]:
    return {
        "image digest": record.image_digest,
        "spec digest": record.spec_digest,
        "lock digest": record.lock_digest,
        "reprobox": record.reprobox,
    }


def _describe_seed(record: RunRecord) -> dict[str, str]:
    switches = {name: str(value) for name, value in record.switches.items()}
    return {"seed": str(record.seed), "level": record.level, **switches}


def _describe_host(record: RunRecord) -> dict[str, str]:
    host = record.host
    return {
        "cpu": host.cpu_model,
        "cpu flags": f"{len(host.cpu_flags)} of them" if host.cpu_flags else "",
        "architecture": host.architecture,
        "gpus": ", ".join(f"{gpu.name} (driver {gpu.driver})" for gpu in record.gpus),
        "cpus": str(host.cpus),
        "memory": str(host.memory),
        "kernel": host.kernel,
    }


def _describe_engine(record: RunRecord) -> dict[str, str]:
    engine = record.engine
    network = "on" if record.network else "off"
    return {"engine": f"{engine.name} {engine.version}", "gpu": str(bool(record.gpus)), "network": network}


def _describe_runtime(record: RunRecord) -> dict[str, str]:
    """What the processes say of themselves; they are not trusted, so every shape is looked at before it is used."""
    found: dict[str, set[str]] = {}
    for process in record.runtime.processes:
        for section, key in (("backends", "version"), ("switches", "value")):
            entries = process.get(section)
            for name, entry in entries.items() if isinstance(entries, dict) else ():
                if isinstance(entry, dict):
                    found.setdefault(str(name), set()).add(str(entry.get(key)))
        overrides = process.get("overrides")
        for entry in overrides if isinstance(overrides, list) else ():
            if isinstance(entry, dict):
                found.setdefault(f"{entry.get('switch')} at the end", set()).add(str(entry.get("found")))
    said = {name: ", ".join(sorted(values)) for name, values in sorted(found.items())}
    return {**said, **record.runtime.libraries}


def _describe_stages(record: RunRecord) -> dict[str, str]:
    return {stage.name: _describe_stage(stage) for stage in record.stages}


def _describe_stage(stage: StageRecord) -> str:
    end = "out of memory" if stage.out_of_memory else "out of time" if stage.timed_out else f"exit {stage.exit_code}"
    return f"{' '.join(stage.command)}: {end}"
