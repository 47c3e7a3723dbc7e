"""One Docker-compatible engine, put together from its parts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import docker

from reprobox.engines.base import ContainerResult, ContainerSpec, EngineImage, EngineInfo, StoreKind
from reprobox.engines.docker.containers import Containers
from reprobox.engines.docker.describe import describe_engine
from reprobox.engines.docker.images import Images
from reprobox.engines.docker.run import run_container
from reprobox.engines.docker.steps import Steps


class DockerEngine:
    """Satisfies ``engines.base.Engine``; made by ``connect``."""

    def __init__(self, client: docker.APIClient, version: Mapping[str, Any], *, local: bool) -> None:
        self._client: Any = client
        self._version = version
        self._local = local
        self._images = Images(client)
        self._containers = Containers(client)
        self._steps = Steps(client, self._containers, exports=lambda: self.info().name != "docker")
        self._info: EngineInfo | None = None
        # Beside what the command is about: where there are many images, listing them takes longer than most answers.
        threading.Thread(target=self._tidy, name="tidy the engine").start()

    def _tidy(self) -> None:
        """Remove what killed processes of ours left here; a failure fails no command."""
        with suppress(Exception):
            self._containers.sweep()
            self._images.sweep()

    def info(self) -> EngineInfo:
        """Ask the engine about itself, once."""
        if self._info is None:
            self._info = describe_engine(self._client, self._version, local=self._local)
        return self._info

    def find_image(self, reference: str) -> EngineImage | None:
        """Return the image that ``reference`` names here, or ``None``; never pulls."""
        return self._images.find_image(reference)

    def count_held_layers(self, diff_ids: Sequence[str], likely: str = "") -> int:
        """Return how many of the first ``diff_ids`` some image here already begins with."""
        return self._images.count_held_layers(diff_ids, likely, ours_only=self.info().store is StoreKind.CONTAINERD)

    def is_whole(self, reference: str) -> bool:
        """Whether every byte of an image is here, so that it can be saved and pushed too."""
        return self._images.is_whole(reference)

    def load_archive(self, chunks: Iterable[bytes]) -> None:
        """Load an archive in the ``docker save``/OCI layout; raise ``EngineError`` when the engine refuses."""
        self._images.load_archive(chunks)
        # An engine finishes what a process sent in full before it was killed, and may have done so meanwhile.
        self._images.sweep()

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""
        self._images.tag_image(reference, tag)

    def remove_image(self, reference: str) -> None:
        """Forget a name; remove the image when it was the last one. Absent is fine."""
        self._images.remove_image(reference)

    def pull_image(self, reference: str) -> str:
        """Pull from a registry; return ``name@sha256:…``."""
        return self._images.pull_image(reference)

    def save_image(self, reference: str) -> Iterator[bytes]:
        """Yield the image as a ``docker save`` archive."""
        return self._images.save_image(reference)

    def run_container(self, spec: ContainerSpec, on_output: Callable[[str, bytes], None]) -> ContainerResult:
        """Run to the end; see ``engines.base.Runner``."""
        return run_container(self._client, self._containers, spec, on_output, self.info())

    def limit_steps(self, memory: int, disk: int | None) -> None:
        """Limit what each step may take; see ``engines.base.StepEngine``."""
        self._steps.memory, self._steps.disk = memory, disk

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
        """Run a build step; see ``engines.base.Runner``."""
        return self._steps.run_step(
            image, argv, stdin=stdin, on_output=on_output, stdout=stdout, env=env, timeout=timeout
        )

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
        """Run a build step and yield its file system; see ``engines.base.Runner``."""
        return self._steps.export_step(image, argv, files=files, env=env, on_output=on_output, timeout=timeout)

    def stop_containers(self, *, gently: bool = False) -> None:
        """End what this process runs here; see ``engines.base.Engine``."""
        self._containers.stop_all(signal.SIGTERM if gently else signal.SIGKILL)
