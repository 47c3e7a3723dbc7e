"""What a report says of the environment and of the seeds, as data."""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.report.values import Count, Digest, Origin, Sha256, Statement, Text, Trace


@dataclass(frozen=True)
class System:
    """The operating systems: of the image, and of the machine below it."""

    origin: Origin
    trace: tuple[Trace, ...]
    image: Text | None
    kernel: Text
    architecture: Text


@dataclass(frozen=True)
class Package:
    """A Python package."""

    name: Text
    version: Text
    file: Text
    sha256: Sha256


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package."""

    name: Text
    version: Text
    architecture: Text
    sha256: Sha256


@dataclass(frozen=True)
class Software:
    """Everything that is installed, pinned by hash."""

    origin: Origin
    trace: tuple[Trace, ...]
    python: Text | None
    c_library: Text | None
    packages: tuple[Package, ...]
    """Empty too where a run without a container had this machine's."""
    debian: tuple[DebianPackage, ...] | None
    """``None``: those of a base that is no Debian of ours are not known."""
    cuda: Text | None
    """Of the locked packages, or of the base image; ``None``: neither brings it."""
    cudnn: Text | None
    cuda_loaded: Text | None
    """As the run's processes had it loaded; ``None``: none of them said so."""
    cudnn_loaded: Text | None
    driver: Text | None
    """Of the GPU that the run was given."""


@dataclass(frozen=True)
class ImageIdentity:
    """What the run took place in."""

    origin: Origin
    trace: tuple[Trace, ...]
    digest: Digest | None
    """``None``: the run took place without one."""
    base: Text | None
    """``None``: the lock is no longer the image's."""
    base_digest: Text | None
    """``None``: a base of Debian packages, each of which has its own."""
    dockerfile_sha256: Sha256 | None
    """Of the Dockerfile that `reprobox render` writes and a bundle has; ``None``: spec or lock are no longer the
    image's."""
    spec_digest: Digest
    lock_digest: Digest


@dataclass(frozen=True)
class Accelerator:
    """A GPU that the run was given."""

    name: Text
    driver: str
    memory: Count
    compute_capability: str


@dataclass(frozen=True)
class Hardware:
    """The machine, in the field names of MLPerf's system descriptions; capacities are bytes."""

    origin: Origin
    trace: tuple[Trace, ...]
    system_name: Text | None
    """The machine's model, as its firmware names it."""
    number_of_nodes: Count
    host_processors_per_node: Count | None
    """Processor packages."""
    host_processor_model_name: Text | None
    host_processor_vcpu_count: Count
    host_processor_flags: tuple[str, ...]
    host_memory_capacity: Count
    host_storage_type: Text | None
    host_storage_capacity: Count | None
    """Of the disk that the run was kept on."""
    accelerators_per_node: Count
    accelerator_model_name: Text | None
    accelerator_memory_capacity: Count | None
    accelerators: tuple[Accelerator, ...]
    operating_system: Text | None
    framework: Text | None
    other_software_stack: dict[str, str]


@dataclass(frozen=True)
class DeclaredHardware:
    """What no program of ours can ask a machine, in the field names of MLPerf's system descriptions."""

    origin: Origin
    trace: tuple[Trace, ...]
    host_networking: Text | None
    accelerator_interconnect: Text | None
    accelerator_memory_needed: Text | None
    """No field of MLPerf's."""


@dataclass(frozen=True)
class Engine:
    """What kept the run apart from its machine."""

    origin: Origin
    trace: tuple[Trace, ...]
    name: Text
    version: Text
    isolation: Text


@dataclass(frozen=True)
class Variables:
    """The environment variables of the run that change numbers; no others are shown."""

    origin: Origin
    trace: tuple[Trace, ...]
    values: dict[str, str]


@dataclass(frozen=True)
class EnvironmentSection:
    """ウ: the execution environment."""

    system: System
    software: Software
    image: ImageIdentity
    hardware: Hardware
    declared_hardware: DeclaredHardware | None
    engine: Engine
    variables: Variables
    method: Statement | None
    hyperparameters: Statement | None


@dataclass(frozen=True)
class DeclaredSeed:
    """What the spec asks for."""

    origin: Origin
    trace: tuple[Trace, ...]
    seed: Count
    level: Text
    switches: dict[str, bool | int | str]


@dataclass(frozen=True)
class ObservedBackend:
    """One generator library, as the run's processes said they seeded it."""

    stage: str
    backend: Text
    version: str
    seeds: tuple[int, ...]
    """Different ones are those of worker processes; empty: it has no seed of its own."""
    processes: Count
    detail: str


@dataclass(frozen=True)
class ObservedSwitch:
    """One switch, as it was read back."""

    name: Text
    wanted: str
    value: str
    status: Text


@dataclass(frozen=True)
class SeenSuspect:
    """Something that may make runs differ."""

    kind: Text
    where: str
    count: Count
    detail: str


@dataclass(frozen=True)
class ObservedSeeds:
    """What the runtime saw."""

    origin: Origin
    trace: tuple[Trace, ...]
    processes: Count
    backends: tuple[ObservedBackend, ...]
    switches: tuple[ObservedSwitch, ...]
    suspects: tuple[SeenSuspect, ...]


@dataclass(frozen=True)
class PromisedPart:
    """What holds of one library between two processors."""

    key: Text
    """By which the languages have it."""
    what: Text
    holds: Text


@dataclass(frozen=True)
class Promised:
    """What the run's level promises of another run, and what it does not."""

    origin: Origin
    trace: tuple[Trace, ...]
    level: Text
    cpu: Text | None
    """The instruction set that level ``portable`` holds everything to."""
    parts: tuple[PromisedPart, ...]
    """At ``portable``, library by library."""
    gpus: Text | None
    """Those that the run had: it is promised for no others."""


@dataclass(frozen=True)
class SeedSection:
    """エ: the random seeds."""

    declared: DeclaredSeed
    observed: ObservedSeeds
    promised: Promised
    no_randomness: Statement | None
