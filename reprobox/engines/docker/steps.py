"""Run one build step in a container: as root, without network, streams in and out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import docker

from reprobox.engines.docker.attach import attach_streams, read_frames
from reprobox.engines.docker.calls import fetch_stream, send_stream
from reprobox.engines.docker.config import MOST_PROCESSES
from reprobox.engines.docker.containers import Containers
from reprobox.engines.docker.errors import translate_errors
from reprobox.engines.docker.writing import WriteLimit
from reprobox.errors import BuildError
from reprobox.sizes import format_size


class Steps:
    """Build steps on one engine; no folder is mounted, so the engine may be on another machine."""

    def __init__(self, client: docker.APIClient, containers: Containers, *, exports: Callable[[], bool]) -> None:
        """``exports`` tells whether the engine's own export is to be used."""
        self._client: Any = client
        self._containers = containers
        self._exports = exports
        self.memory: int | None = None
        """Bytes that a step may take, swap included; ``None``: no limit."""
        self.disk: int | None = None
        """Bytes that a step may write; ``None``: no limit."""

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
        """Run ``argv`` and return its exit code; ``on_output`` gets stderr, and stdout where ``stdout`` is None."""
        with self._containers.create(self._configure(image, argv, env, stdin=stdin is not None)) as container:
            written = self._limit_writes(container, argv)
            return self._finish(container, argv, written, stdin, stdout, on_output, timeout)

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
        """Unpack ``files`` at ``/``, run ``argv``, yield the root file system as a tar; runs at the first ``next``."""
        with self._containers.create(self._configure(image, argv, env, stdin=False)) as container:
            if files is not None:
                self._put_files(container, files)
            written = self._limit_writes(container, argv)
            code = self._finish(container, argv, written, None, None, on_output, timeout)
            if code:
                raise BuildError(f"{_name(argv)} failed with exit code {code}")
            with translate_errors("reading the step's files"):
                yield from written.meter(self._read_root(container))

    def _read_root(self, container: str) -> Generator[bytes, None, None]:
        """Yield a container's root file system.

        Not by Docker's own export: from 25 to 27 it keeps the layers and the mount of every container that has been
        exported until the daemon ends (https://github.com/moby/moby/issues/48516).
        """
        if self._exports():
            return fetch_stream(self._client, "/containers/{0}/export", container)
        return fetch_stream(self._client, "/containers/{0}/archive", container, params={"path": "/"})

    def _finish(
        self,
        container: str,
        argv: Sequence[str],
        written: WriteLimit,
        stdin: BinaryIO | None,
        stdout: BinaryIO | None,
        on_output: Callable[[bytes], None],
        timeout: float,
    ) -> int:
        with attach_streams(self._client, container, stdin) as output:
            self._containers.start(container)
            with self._limited(container, argv, timeout), written.held():
                for stream, data in read_frames(output):
                    if stdout is not None and stream == "stdout":
                        stdout.write(data)
                    else:
                        on_output(data)
                state = self._containers.wait(container)
        if state.get("OOMKilled") and self.memory:
            raise BuildError(f"{_name(argv)} wanted more memory than its limit of {format_size(self.memory)}")
        written.check()
        return int(state["ExitCode"])

    def _configure(self, image: str, argv: Sequence[str], env: Mapping[str, str], *, stdin: bool) -> dict[str, Any]:
        config = _step_config(image, argv, env, stdin=stdin)
        if self.memory:
            config["HostConfig"] |= {"Memory": self.memory, "MemorySwap": self.memory}
        return config

    @contextmanager
    def _limited(self, container: str, argv: Sequence[str], timeout: float) -> Iterator[None]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._kill(container)

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        if expired.is_set():
            raise BuildError(f"{_name(argv)} was stopped after {timeout:g} seconds")

    def _limit_writes(self, container: str, argv: Sequence[str]) -> WriteLimit:
        return WriteLimit(self._client, container, _name(argv), self.disk, partial(self._kill, container))

    def _kill(self, container: str) -> None:
        self._containers.send_signal(container, signal.SIGKILL)

    def _put_files(self, container: str, files: Iterable[bytes]) -> None:
        with translate_errors("putting files into the container"):
            path = "/containers/{0}/archive"
            send_stream(self._client, "PUT", path, container, data=files, params={"path": "/"})


def _name(argv: Sequence[str]) -> str:
    return f"`{' '.join(argv)[:200]}`"


def _step_config(image: str, argv: Sequence[str], env: Mapping[str, str], *, stdin: bool) -> dict[str, Any]:
    return {
        "Image": image,
        "Hostname": "reprobox",
        # The image names none, so it is root. Asked for "0:0", Podman makes an /etc/passwd of its own where none is
        # yet, and the packages of a base that is being installed find no root in it.
        "User": "",
        "WorkingDir": "/",
        "Entrypoint": list(argv),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in sorted(env.items())],
        "OpenStdin": stdin,
        "StdinOnce": stdin,
        "AttachStdin": stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "LogConfig": {"Type": "none", "Config": {}},
            "PidsLimit": MOST_PROCESSES,
        },
    }
