"""An engine in memory that keeps the same contract as a real one, for tests of what is above it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from reprobox.engines.base import ContainerResult, ContainerSpec, EngineImage, EngineInfo, GpuAccess, Mount, StoreKind
from reprobox.errors import BuildError, EngineError

_INFO = EngineInfo(
    name="docker",
    version="0",
    api_version="1.41",
    store=StoreKind.GRAPH_DRIVER,
    storage_driver="memory",
    root="/nowhere",
    local=True,
    rootless=False,
    holds_limits=True,
    cpus=2,
    memory=1 << 30,
    architecture="x86_64",
    cgroup_version="2",
    gpu_access=GpuAccess.NONE,
    gpu_devices=(),
    init=True,
)


@dataclass
class Call:
    """One container of the fake, as its program sees it."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    user: str
    mounts: tuple[Mount, ...]
    files: dict[str, bytes]
    """The image's regular files by path without a leading slash; a step may change them."""
    stdin: bytes
    write: Callable[[str, bytes], None]
    """Takes ("stdout" or "stderr", bytes)."""


Program = Callable[[Call], int | ContainerResult]
"""Stands for whatever runs in a container: returns its exit code, or in full how it ended."""


@dataclass(frozen=True)
class _Held:
    image: EngineImage
    env: Mapping[str, str]
    command: tuple[tuple[str, ...], tuple[str, ...]]
    """The image's own entrypoint and command."""
    manifest: bytes
    config: bytes


@dataclass
class FakeEngine:
    """Holds images byte for byte and runs ``program`` for every container."""

    program: Program = lambda call: 0
    store: StoreKind = StoreKind.GRAPH_DRIVER
    registry: Mapping[str, bytes] = field(default_factory=dict)
    """What can be pulled: reference -> archive."""
    ran: list[ContainerSpec] = field(default_factory=list)
    """Every container run, in order, for tests to look at."""

    def __post_init__(self) -> None:
        self._names: dict[str, str] = {}
        self._images: dict[str, _Held] = {}
        self._layers: dict[str, bytes] = {}

    def info(self) -> EngineInfo:
        """Describe a small local engine."""
        return replace(_INFO, store=self.store)

    @property
    def names(self) -> tuple[str, ...]:
        """What its images are called."""
        return tuple(self._names)

    def find_image(self, reference: str) -> EngineImage | None:
        """Return the image that a name or an ID names."""
        held = self._images.get(self._names.get(reference, reference))
        return held.image if held else None

    def count_held_layers(self, diff_ids: Sequence[str], likely: str = "") -> int:
        """Return how many of the first ``diff_ids`` are held."""
        return next((index for index, one in enumerate(diff_ids) if one not in self._layers), len(diff_ids))

    def is_whole(self, reference: str) -> bool:
        """Whether the image is there: the fake holds nothing by halves."""
        return self.find_image(reference) is not None

    def load_archive(self, chunks: Iterable[bytes]) -> None:
        """Take in an archive, checking every digest in it as the real ones do."""
        try:
            members = _read_members(b"".join(chunks))
        except tarfile.TarError as error:
            raise EngineError(f"loading the image: the fake engine says: {error}") from error
        for described in json.loads(members["manifest.json"]):
            config = members[described["Config"]]
            diff_ids = tuple(json.loads(config)["rootfs"]["diff_ids"])
            if len(diff_ids) != len(described["Layers"]):
                raise EngineError("loading the image: the fake engine says: layers length mismatch")
            layers = {
                one: self._find_layer(one, members.get(path))
                for one, path in zip(diff_ids, described["Layers"], strict=True)
            }
            self._layers |= layers
            self._keep(config, diff_ids, members, described["RepoTags"] or ())

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""
        found = self.find_image(reference)
        if found is None:
            raise EngineError(f"tagging {reference} as {tag}: the fake engine says: no such image")
        self._names[tag] = found.engine_id

    def remove_image(self, reference: str) -> None:
        """Forget a name, and the image with its last one."""
        engine_id = self._names.pop(reference, reference)
        if engine_id not in self._names.values():
            self._images.pop(engine_id, None)

    def pull_image(self, reference: str) -> str:
        """Load what ``registry`` has under the name."""
        if reference not in self.registry:
            raise EngineError(f"pulling {reference}: the fake engine says: not found")
        self.load_archive((self.registry[reference],))
        image = self.find_image(reference)
        assert image is not None
        return f"{reference.rpartition(':')[0]}@{_digest(self._images[image.engine_id].manifest)}"

    def save_image(self, reference: str) -> Iterator[bytes]:
        """Yield the image as an archive."""
        held = self._get(reference)
        paths = [f"{one.partition(':')[2]}.tar" for one in held.image.diff_ids]
        config = f"{_digest(held.config).partition(':')[2]}.json"
        described = [{"Config": config, "Layers": paths, "RepoTags": [reference]}]
        layers = {path: self._layers[one] for path, one in zip(paths, held.image.diff_ids, strict=True)}
        yield _write_members({config: held.config, **layers, "manifest.json": json.dumps(described).encode()})

    def run_container(self, spec: ContainerSpec, on_output: Callable[[str, bytes], None]) -> ContainerResult:
        """Run the program in place of the container."""
        self.ran.append(spec)
        held = self._get(spec.image)
        own_entrypoint, own_command = held.command
        entrypoint = own_entrypoint if spec.entrypoint is None else spec.entrypoint
        command = spec.argv if spec.argv is not None else (own_command if not spec.entrypoint else ())
        env = {**held.env, **spec.env}
        call = Call((*entrypoint, *command), env, spec.user, spec.mounts, self._files(held), b"", on_output)
        ended = self.program(call)
        if isinstance(ended, ContainerResult):
            return ended
        return ContainerResult(ended, 0.0, out_of_memory=False, timed_out=False, peak_memory=None)

    def limit_steps(self, memory: int, disk: int | None) -> None:
        """Do nothing: what a step takes here is the test's own."""

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
        """Run the program as a build step."""

        def write(stream: str, data: bytes) -> None:
            if stdout is not None and stream == "stdout":
                stdout.write(data)
            else:
                on_output(data)

        return self._step(image, argv, env, timeout, stdin.read() if stdin else b"", write)[0]

    def export_step(
        self,
        image: str,
        argv: Sequence[str],
        *,
        files: Iterable[bytes] | None,
        env: Mapping[str, str],
        on_output: Callable[[bytes], None],
        timeout: float,
    ) -> Iterator[bytes]:
        """Run the program as a build step and yield the files it left, regular ones only."""
        added = _read_members(b"".join(files)) if files is not None else {}
        code, left = self._step(image, argv, env, timeout, b"", lambda stream, data: on_output(data), added)
        if code:
            raise BuildError(f"`{' '.join(argv)[:200]}` failed with exit code {code}")
        yield _write_members(left)

    def stop_containers(self, *, gently: bool = False) -> None:
        """Do nothing: the fake's programs end by themselves."""

    def _step(
        self,
        image: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        timeout: float,
        stdin: bytes,
        write: Callable[[str, bytes], None],
        added: Mapping[str, bytes] | None = None,
    ) -> tuple[int, dict[str, bytes]]:
        held = self._get(image)
        files = {**self._files(held), **(added or {})}
        ended = self.program(Call(tuple(argv), {**held.env, **env}, "0:0", (), files, stdin, write))
        if isinstance(ended, int):
            return ended, files
        if ended.timed_out:
            raise BuildError(f"`{' '.join(argv)[:200]}` was stopped after {timeout:g} seconds")
        return ended.exit_code, files

    def _get(self, reference: str) -> _Held:
        found = self.find_image(reference)
        if found is None:
            raise EngineError(f"the container engine has no image {reference}", hint="build it first")
        return self._images[found.engine_id]

    def _find_layer(self, diff_id: str, data: bytes | None) -> bytes:
        if data is None and diff_id in self._layers:
            return self._layers[diff_id]
        if data is None or _digest(data) != diff_id:
            raise EngineError(f"loading the image: the fake engine says: invalid diffID for layer {diff_id}")
        return data

    def _keep(
        self, config: bytes, diff_ids: tuple[str, ...], members: Mapping[str, bytes], tags: Sequence[str]
    ) -> None:
        manifest_path = json.loads(members["index.json"])["manifests"][0]["digest"].replace(":", "/")
        manifest = members[f"blobs/{manifest_path}"]
        engine_id = _digest(manifest if self.store is StoreKind.CONTAINERD else config)
        settings = json.loads(config)["config"]
        env = dict(one.split("=", 1) for one in settings.get("Env", ()))
        command = tuple(settings.get("Entrypoint", ())), tuple(settings.get("Cmd", ()))
        self._images[engine_id] = _Held(EngineImage(engine_id, diff_ids), env, command, manifest, config)
        self._names |= dict.fromkeys(tags, engine_id)

    def _files(self, held: _Held) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for diff_id in held.image.diff_ids:
            files |= _read_members(self._layers[diff_id])
        return files


def _read_members(archive: bytes) -> dict[str, bytes]:
    """Return the regular files of a tar."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            if (data := tar.extractfile(entry)) is not None and entry.isreg():
                found[entry.name] = data.read()
    return found


def _write_members(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
