"""Private Docker Engines of several versions and stores, each on a socket and a data folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine_packages import CACHE, install_packages, unpack_packages
from engine_tidying import wait_for_tidying

from reprobox.engines.docker import DockerEngine, connect
from reprobox.errors import EngineError


@dataclass(frozen=True)
class Kind:
    """Which engine to start."""

    suite: str
    packages: tuple[str, ...]
    containerd_store: bool


KINDS = {
    "docker-20.10": Kind("bookworm", ("docker.io", "containerd"), False),
    "docker-26.1-graph": Kind("trixie", ("docker.io", "containerd", "docker-cli", "docker-buildx"), False),
    "docker-26.1-containerd": Kind("trixie", ("docker.io", "containerd", "docker-cli", "docker-buildx"), True),
}
ROOMY = "4g"
"""A disk that the images of the tests do not fill."""
_RUNTIME = ("bookworm", "runc", "tini")
"""Debian 13's runc wants a newer kernel interface than some test machines have; 12's works under both engines."""


class Daemon:
    """One dockerd, with the containerd that it starts itself."""

    def __init__(self, name: str, *options: str, settings: Mapping[str, Any] | None = None, programs: str = "") -> None:
        """``settings`` go into its configuration; ``programs`` is a folder where it looks for programs first."""
        kind = KINDS[name]
        self._options = options
        self._settings = settings or {}
        self.name = name
        self.data = Path(tempfile.mkdtemp(prefix=f"data-{name}-", dir=_folder()))
        # Not below the data: a socket's path has at most 107 bytes.
        self._run = Path(tempfile.mkdtemp(prefix="rbx-"))
        self._number = next(number for number in range(1, 255) if not Path(f"/sys/class/net/rbx{number}").exists())
        self._bridge = f"rbx{self._number}"
        self.host = f"unix://{self._run}/docker.sock"
        self.log = self.data / "dockerd.log"
        engine, runtime = unpack_packages(kind.suite, *kind.packages), unpack_packages(*_RUNTIME)
        folders = [engine / "usr/sbin", engine / "usr/bin", runtime / "usr/sbin", runtime / "usr/bin"]
        first = [programs] if programs else []
        self.path = os.pathsep.join([*first, *map(str, folders), os.environ["PATH"], "/usr/sbin", "/sbin"])
        self.plugins = engine / "usr/libexec/docker/cli-plugins"
        self._features = {"containerd-snapshotter": True} if kind.containerd_store else {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What a program needs in its environment to use this engine, and its own docker command."""
        return {"DOCKER_HOST": self.host, "PATH": self.path, "HOME": str(self._run), "DOCKER_CONFIG": str(self._run)}

    def limit_disk(self, size: str) -> None:
        """Give it a disk of this size, in memory; before the start."""
        _mount_memory(self.data / "root", size)

    def start(self) -> DockerEngine:
        """Start it and wait until it answers."""
        self._make_bridge()
        config = self._run / "daemon.json"
        features = {**self._features, **self._settings.get("features", {})}
        config.write_text(json.dumps({**self._settings, "features": features}))
        if self.plugins.is_dir():
            (self._run / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(self.plugins)]}))
        argv = [
            *("dockerd", "--config-file", str(config), "--host", self.host),
            *("--data-root", str(self.data / "root"), "--exec-root", str(self._run / "exec")),
            *("--pidfile", str(self._run / "dockerd.pid")),
            # A bridge of its own: `--bridge=none` removes docker0, which is another engine's. No packet filter, since
            # that is the whole machine's: containers here reach this machine and no further.
            *("--bridge", self._bridge, "--iptables=false", "--ip6tables=false"),
            *self._options,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, env={**os.environ, "PATH": self.path}, stdout=log, stderr=log, start_new_session=True
            )
        return self._wait()

    def _make_bridge(self) -> None:
        if shutil.which("ip") is None:
            install_packages("iproute2")
        if Path("/sys/class/net", self._bridge).exists():
            return
        subnet = f"10.213.{self._number}.1/24"
        for argv in (
            ["ip", "link", "add", self._bridge, "type", "bridge"],
            ["ip", "address", "add", subnet, "dev", self._bridge],
            ["ip", "link", "set", self._bridge, "up"],
        ):
            subprocess.run(argv, check=True, timeout=30)

    def _wait(self) -> DockerEngine:
        assert self._process is not None
        for _ in range(300):
            if self._process.poll() is not None:
                break
            try:
                engine = connect(self.environ)
                wait_for_tidying()  # it may be stopped at once
                return engine
            except EngineError:
                time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """End it and its containerd without notice, as a crash of the machine would."""
        child = self._run / "exec" / "containerd" / "containerd.pid"
        self._end(signal.SIGKILL)
        if child.exists():
            with suppress(ProcessLookupError):
                os.kill(int(child.read_text()), signal.SIGKILL)
            child.unlink()

    def stop(self) -> None:
        """End it and remove everything it kept."""
        if self._process is None:
            self.start()  # after a kill: it ends the containers that outlived it
        self._end(signal.SIGTERM)
        for folder in (self._run, self.data):
            unmount_below(folder)
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, timeout=30)
        for folder in (self._run, self.data):
            shutil.rmtree(folder)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        (self._run / "dockerd.pid").unlink(missing_ok=True)


class Podman:
    """Podman's service, which speaks Docker's language, with a store of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rbx-"))
        self.host = f"unix://{self.folder}/podman.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> DockerEngine:
        """Start it and wait until it answers."""
        if shutil.which("podman") is None:
            install_packages("podman")
        if has_memory():
            _mount_memory(self.folder / "root", ROOMY)
        settings = self.folder / "containers.conf"
        # Its default limits are higher than a process without CAP_SYS_RESOURCE may set.
        settings.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        store = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--storage-driver", "overlay"]
        argv = ["podman", *store, "system", "service", "--time", "0", self.host]
        with (self.folder / "log").open("wb") as log:
            environ = {**os.environ, "CONTAINERS_CONF": str(settings)}
            # In its own folder: that is where its conmon leaves a file for a container that wanted too much memory.
            self._process = subprocess.Popen(
                argv, cwd=self.folder, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(100):
            try:
                engine = connect({"DOCKER_HOST": self.host})
                wait_for_tidying()  # it may be stopped at once
                return engine
            except EngineError:
                time.sleep(0.1)
        raise RuntimeError(f"podman did not start:\n{(self.folder / 'log').read_text()[-3000:]}")

    def stop(self) -> None:
        """End it and remove everything it kept."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
        unmount_below(self.folder)
        shutil.rmtree(self.folder)


def has_memory() -> bool:
    """Whether the stores of all kinds of engines fit into memory, where every synchronised write costs nothing."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) > 12 << 20


def _mount_memory(folder: Path, size: str) -> None:
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(argv, check=True, timeout=30)


def unmount_below(folder: Path) -> None:
    """Undo the mounts that an engine left."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted(points, reverse=True):
        if Path(point).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", point], check=True, timeout=30)


def _folder() -> Path:
    folder = CACHE / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
