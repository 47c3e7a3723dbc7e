"""One container's life: created, started, stopped, always removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import docker.errors

from reprobox.engines.docker.errors import translate_errors
from reprobox.engines.owners import OWNER_LABEL, is_gone, name_owner
from reprobox.engines.signals import held_signals
from reprobox.errors import EngineError


class Containers:
    """The containers of this process on one engine."""

    def __init__(self, client: docker.APIClient) -> None:
        self._client: Any = client
        self._live: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def create(self, config: dict[str, Any]) -> Iterator[str]:
        """Create a container that is removed at the end of the block, whatever happens in it."""
        config["Labels"] = {**config.get("Labels", {}), OWNER_LABEL: name_owner()}
        container = ""
        try:
            with held_signals():  # an interrupted call leaves a container whose name nobody knows
                container = self._create(config)
            with self._lock:
                self._live.add(container)
            yield container
        finally:
            if container:
                self._remove(container)
            with self._lock:
                self._live.discard(container)

    def _create(self, config: dict[str, Any]) -> str:
        with translate_errors("creating a container"):
            try:
                return str(self._client.create_container_from_config(config)["Id"])
            except docker.errors.ImageNotFound as error:
                raise EngineError(
                    f"the container engine has no image {config['Image']}", hint="build it first"
                ) from error

    def start(self, container: str) -> None:
        """Start a created container."""
        with translate_errors("starting the container"):
            self._client.start(container)

    def find_process(self, container: str) -> int:
        """Return the number of the container's first process on the engine's machine; 0 when it has ended."""
        with translate_errors("looking at the container"):
            return int(self._client.inspect_container(container)["State"]["Pid"])

    def send_signal(self, container: str, number: signal.Signals) -> None:
        """Send a signal to the container's first process; one that has ended is fine."""
        with suppress(EngineError), translate_errors("stopping the container"):
            self._client.kill(container, number.name)

    def stop_all(self, number: signal.Signals) -> None:
        """Send a signal to every container of this process, so that the threads that wait for them return."""
        with self._lock:
            live = tuple(self._live)
        for container in live:
            self.send_signal(container, number)

    def wait(self, container: str) -> dict[str, Any]:
        """Wait for the container's end and return its state as the engine describes it."""
        with translate_errors("waiting for the container"):
            self._client.wait(container, timeout=None)
            state: dict[str, Any] = self._client.inspect_container(container)["State"]
            return state

    def _remove(self, container: str) -> None:
        with suppress(EngineError), translate_errors("removing the container"):
            self._client.remove_container(container, v=True, force=True)

    def sweep(self) -> None:
        """Remove the containers whose process was killed before it could."""
        with translate_errors("listing containers"):
            found = self._client.containers(all=True, filters={"label": OWNER_LABEL})
        for one in found:
            if is_gone(one["Labels"][OWNER_LABEL]):
                self._remove(one["Id"])
