"""What the rest of the program needs of a container engine, as small protocols and frozen data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from reprobox.errors import EngineError

GRACE = 2
"""Seconds between asking a container to end and ending it."""


class EngineGone(EngineError):
    """The engine stopped answering in the middle of something."""


class StoreKind(StrEnum):
    """Where the engine keeps images, which decides what its image ID means."""

    GRAPH_DRIVER = "graph-driver"
    CONTAINERD = "containerd"


class GpuAccess(StrEnum):
    """How the engine hands NVIDIA's GPUs to containers."""

    NONE = "none"
    HOOK = "hook"
    """Through the hook or the runtime of NVIDIA's container toolkit."""
    DIRECT = "direct"
    """There is no container: a run sees what the machine has."""
    CDI = "cdi"
    """As devices that CDI files describe, with nothing of NVIDIA's at work when a container starts."""


@dataclass(frozen=True)
class EngineImage:
    """An image the engine holds."""

    engine_id: str
    """The engine's own ``.Id``: the config digest or the manifest digest, by store kind."""
    diff_ids: tuple[str, ...]


class Digests(Protocol):
    """An image by its digests."""

    @property
    def config_digest(self) -> str:
        """Of its configuration."""

    @property
    def manifest_digest(self) -> str:
        """Of its manifest."""

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Of its layers, lowest first."""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says of itself."""

    name: str
    """"docker" or "podman"."""
    version: str
    api_version: str
    store: StoreKind
    storage_driver: str
    root: str
    """Where it keeps its data, on its own machine."""
    local: bool
    """Whether it sees this machine's files (a Unix socket), so that folders can be mounted."""
    rootless: bool
    """Whether it runs as a plain user, who is root inside of its containers."""
    cpus: int
    memory: int
    """Bytes."""
    architecture: str
    cgroup_version: str
    holds_limits: bool
    """Whether a container's limits of memory, CPUs and processes mean anything there."""
    gpu_access: GpuAccess
    gpu_devices: tuple[str, ...]
    """The GPUs' names for CDI, "nvidia.com/gpu=0", as far as they can be known."""
    init: bool
    """Whether it can put an init process in front of a container."""
    isolation: str = "container"
    """What stands between a run and this machine: a container, or less."""
    runs_as_caller: bool = False
    """Whether a program is the caller's, root's too, whomever it is to be."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """The program of each runtime that it knows, by name."""
    default_runtime: str = ""
    """Which of them it takes where none is asked for."""

    def has_own_kernel(self, runtime: str) -> bool:
        """Whether a runtime, or the default where it is empty, is gVisor, with a kernel for each container."""
        name = runtime or self.default_runtime
        return "runsc" in name or "runsc" in self.runtimes.get(name, "")

    def identify(self, image: Digests) -> EngineImage:
        """Return what this engine must say of the image that it holds under these digests."""
        by_manifest = self.store is StoreKind.CONTAINERD
        return EngineImage(image.manifest_digest if by_manifest else image.config_digest, image.diff_ids)


@dataclass(frozen=True)
class Mount:
    """A folder or file of this machine, seen inside at ``target``."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Quota:
    """How much a run may leave in a folder of this machine."""

    folder: Path
    what: str
    """What the program calls it: "/output"."""
    size: int
    """Bytes."""
    files: int


@dataclass(frozen=True)
class Fence:
    """Limits for a program that nobody here has a reason to trust: everything not said is forbidden."""

    memory: int
    """Bytes, swap included."""
    shm: int
    """Bytes of /dev/shm, which count as memory."""
    scratch: int
    """Bytes of each of the scratch folders, which count as memory."""
    scratch_folders: tuple[str, ...]
    """The only places inside that can be written to, besides what is mounted so."""
    read_only: bool
    """Whether the rest of the root file system is read-only."""
    processes: int
    cpus: str
    """The processors it may use, "0-3"; empty: all. Unlike a share of their time, programs see how many these are."""
    open_files: int
    file_size: int
    """Bytes of the largest file it may write."""
    quotas: tuple[Quota, ...]
    runtime: str
    """The engine's runtime, "runsc"; empty: its own."""
    profile: Path | None = None
    """A file that lists the system calls it may make; ``None``: the engine has a list of its own."""


@dataclass(frozen=True)
class ContainerSpec:
    """One container to run to its end."""

    image: str
    """Any reference the engine resolves locally; never pulled."""
    argv: tuple[str, ...] | None = None
    """``None``: the image's own command."""
    entrypoint: tuple[str, ...] | None = None
    """``None``: the image's own entrypoint; ``()``: none at all."""
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    """"uid:gid" as this machine counts, whoever that is inside; empty: the image's."""
    workdir: str | None = None
    mounts: tuple[Mount, ...] = ()
    network: bool = False
    cpus: float | None = None
    memory: int | None = None
    """Bytes."""
    shm: int | None = None
    """Bytes."""
    timeout: float | None = None
    """Seconds."""
    gpus: tuple[str, ...] = ()
    """``("all",)``, or numbers and UUIDs; empty: none."""
    labels: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] | None = None
    """``None``: the engine's defaults; else all are dropped but these."""
    fence: Fence | None = None
    """``None``: the program is one's own."""


@dataclass(frozen=True)
class ContainerResult:
    """How a container ended."""

    exit_code: int
    seconds: float
    out_of_memory: bool
    timed_out: bool
    peak_memory: int | None
    """Bytes, where the engine could say."""
    stopped_for: str = ""
    """Which quota it went over; empty: none."""


class ImageStore(Protocol):
    """Holds images."""

    def find_image(self, reference: str) -> EngineImage | None:
        """Return the image that ``reference`` names here, or ``None``; never pulls."""

    def count_held_layers(self, diff_ids: Sequence[str], likely: str = "") -> int:
        """Return how many of the first ``diff_ids`` some image here already begins with; a guess may be too low.

        ``likely`` names the image that may well be the one, so that not all need be looked at.
        """

    def is_whole(self, reference: str) -> bool:
        """Whether every byte of an image is here, so that it can be saved and pushed too."""

    def load_archive(self, chunks: Iterable[bytes]) -> None:
        """Load an archive in the ``docker save``/OCI layout; raise ``EngineError`` when the engine refuses."""

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""

    def remove_image(self, reference: str) -> None:
        """Forget a name; remove the image when it was the last one. Absent is fine."""

    def pull_image(self, reference: str) -> str:
        """Pull from a registry; return ``name@sha256:…``."""

    def save_image(self, reference: str) -> Iterable[bytes]:
        """Yield the image as a ``docker save`` archive."""


class Runner(Protocol):
    """Runs programs, in containers or in what stands for them."""

    def run_container(self, spec: ContainerSpec, on_output: Callable[[str, bytes], None]) -> ContainerResult:
        """Run to the end, handing over output as it comes (``"stdout"`` or ``"stderr"``, bytes).

        Removes the container whatever happens. SIGINT, SIGTERM, SIGHUP and SIGQUIT stop it at once, and
        ``Interrupted`` is raised; SIGUSR1 and SIGUSR2 go through to the program.
        """

    def stop_containers(self, *, gently: bool = False) -> None:
        """Kill what this process runs here, from whichever thread; for the end of an interrupted command.

        ``gently`` sends SIGTERM instead, so that a program can put away what it holds.
        """

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""


class StepEngine(Protocol):
    """Runs the steps that an image is built by."""

    def limit_steps(self, memory: int, disk: int | None) -> None:
        """Hold every step from now on to so many bytes of memory, swap included, and of what it writes; ``None``: no
        limit to that. For a stranger's build.
        """

    def run_step(
        self,
        image: str,
        argv: Sequence[str],
        *,
        stdin: BinaryIO | None,
        on_output: Callable[[bytes], None],
        stdout: BinaryIO | None,
        env: Mapping[str, str],
        timeout: float,
    ) -> int:
        """Run ``argv`` as root without network, ``stdin`` and ``stdout`` streamed; return its exit code.

        ``image`` names no user. A ``stdin`` that is still waiting for more when the program ends is left to itself.

        ``on_output`` gets stderr, and stdout too where ``stdout`` is None. Raises ``BuildError`` after ``timeout``.
        """

    def export_step(
        self,
        image: str,
        argv: Sequence[str],
        *,
        files: Iterable[bytes] | None,
        env: Mapping[str, str],
        on_output: Callable[[bytes], None],
        timeout: float,
    ) -> Iterable[bytes]:
        """Unpack the tar ``files`` at ``/`` of a new container, run ``argv`` in it as root without network, and yield
        the whole root file system as a tar, names with or without a slash in front.

        ``image`` names no user. Raises ``BuildError`` when ``argv`` fails."""


class Engine(ImageStore, Runner, StepEngine, Protocol):
    """A whole engine."""
