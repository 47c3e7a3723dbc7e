"""What a run left behind, as data: written once, compared and reported later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

RECORD_SCHEMA = 1


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU, as its driver names it."""

    name: str
    driver: str
    memory: int
    """Bytes."""
    index: int = 0
    """Its number on the machine."""
    uuid_sha256: str = ""
    """Hex; tells whether two runs had the same card, without naming it."""
    compute_capability: str = ""
    """"9.0", where the driver says it."""
    mig: bool | None = None
    """Whether it is divided into instances; ``None``: it cannot be, or the driver does not say."""
    slowed: tuple[str, ...] = ()
    """Why its clocks were held down when it was asked."""


@dataclass(frozen=True)
class Storage:
    """The disk that runs are kept on."""

    kind: str
    """"NVMe SSD", "SSD", "hard disk" or "virtual disk"; empty where the kernel does not say."""
    file_system: str
    capacity: int
    """Bytes."""


@dataclass(frozen=True)
class Host:
    """The machine that a run took place on."""

    kernel: str
    architecture: str
    cpu_model: str
    cpu_flags: tuple[str, ...]
    cpus: int
    """How many this process may use."""
    memory: int
    """Bytes."""
    gpus: tuple[Gpu, ...]
    processors: int = 0
    """Packages with however many cores; 0: the kernel does not say."""
    system: str = ""
    """What the firmware calls the machine's model; empty where it does not say."""
    storage: Storage | None = None
    """``None`` in records that did not always have it."""


@dataclass(frozen=True)
class OutputFile:
    """One file under ``/output``."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class EarlierRun:
    """The run whose outputs a stage on its own started with, as copies."""

    run: str
    folder: str
    image_digest: str
    stages: tuple[str, ...]
    """Those that had succeeded there."""
    outputs: tuple[OutputFile, ...]
    """What was taken from it."""


@dataclass(frozen=True)
class EngineRecord:
    """The engine that ran it."""

    name: str
    version: str
    api_version: str
    store: str
    storage_driver: str
    rootless: bool = False
    """Whether it ran as a plain user."""
    isolation: str = "container"
    """What stood between the run and its machine: a container, or less."""


@dataclass(frozen=True)
class StageRecord:
    """How one stage went."""

    name: str
    command: tuple[str, ...]
    exit_code: int
    seconds: float
    """Wall time of the container."""
    peak_memory: int | None
    """Bytes; the largest figure that the engine or the processes themselves reported."""
    out_of_memory: bool
    timed_out: bool
    stopped_for: str = ""
    """Which quota of the sandbox it went over; empty: none."""


@dataclass(frozen=True)
class RuntimeRecord:
    """What the runtime inside the container says it did, in all processes together."""

    processes: tuple[dict[str, Any], ...]
    """The processes' own fragments, sorted by start; ``docs/runtime.md`` lists the fields."""
    warnings: tuple[str, ...]

    @property
    def libraries(self) -> dict[str, str]:
        """Name -> file, build and compilers of the compiled libraries that processes say they computed with."""
        found: dict[str, set[str]] = {}
        for process in self.processes:
            libraries = process.get("libraries")
            for name, build in libraries.items() if isinstance(libraries, dict) else ():
                found.setdefault(str(name), set()).add(str(build))
        return {name: "; ".join(sorted(builds)) for name, builds in sorted(found.items())}


@dataclass(frozen=True)
class Suspect:
    """Something in the user's program that may make runs differ, as the runtime saw it happen."""

    kind: str
    """A short word: "unseeded-generator", "listing-order", …; ``docs/suspects.md`` lists them."""
    where: str
    """``file:line`` of the user's code."""
    count: int
    """How often, in all processes together."""
    detail: str


@dataclass(frozen=True)
class RunRecord:
    """One run: ``.reprobox/runs/<id>/run.json``."""

    schema_version: int
    id: str
    name: str
    started: str
    """UTC, ISO 8601."""
    reprobox: str
    image_digest: str
    spec_digest: str
    lock_digest: str
    seed: int
    level: str
    switches: dict[str, bool | int | str]
    environment: dict[str, str]
    network: bool
    host: Host
    engine: EngineRecord
    inputs: dict[str, str]
    """Name -> sha256, checked before the run."""
    stages: tuple[StageRecord, ...]
    exit_code: int
    """Of the first stage that failed; 0 when none did."""
    seconds: float
    runtime: RuntimeRecord
    outputs: tuple[OutputFile, ...]
    missing_outputs: tuple[str, ...]
    """What the spec declares and the run did not leave."""
    warnings: tuple[str, ...]
    suspects: tuple[Suspect, ...] = ()
    """Merged over all processes, the most frequent first."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The last value of each name, from wherever the run left it."""
    earlier: EarlierRun | None = None
    """What the run's ``/output`` held when it started; ``None``: nothing."""
    gpus: tuple[Gpu, ...] = ()
    """Those that the run was given; empty: it ran on the CPU."""
    source_sha256: str = ""
    """Of the source in the image, as ``plan.source_digest`` has it; empty in records that did not always have it."""

    @property
    def failed(self) -> bool:
        """Whether it is no result: its program failed, was stopped, or left less than the spec says."""
        stopped = any(stage.timed_out or stage.stopped_for for stage in self.stages)
        return bool(self.exit_code or self.missing_outputs or stopped)


def format_record(record: RunRecord) -> str:
    """Return the record as JSON, ``schema_version`` first and the rest in the order of the fields."""
    return json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n"
