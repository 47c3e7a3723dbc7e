"""Engines for the tests: the one that answers, private ones of several versions, and the tools beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_daemons import KINDS, ROOMY, Daemon, Podman, has_memory
from engine_images import Layers, make_image
from engine_packages import REPOSITORY, install_packages, unpack_packages, why_not

from reprobox.engines.docker import connect
from reprobox.errors import EngineError
from reprobox.image import load_image
from reprobox.layers.store import LayerStore


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("engine")


def _need_private_engines():
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def engine():
    """The engine this environment means; started for the tests where none answers and that can be done."""
    try:
        yield connect(os.environ)
        return
    except EngineError:
        _need_private_engines()
    script = REPOSITORY / "scripts" / "engine"
    environ = {**os.environ, "REPROBOX_PYTHON": sys.executable}
    subprocess.run([script, "ensure"], check=True, env=environ, timeout=600)
    yield connect(os.environ)
    subprocess.run([script, "stop"], check=True, env=environ, timeout=120)


@pytest.fixture(scope="session")
def daemons():
    """Start private engines by name when first asked for, stop them at the end."""
    with contextlib.ExitStack() as stack:
        started = {}

        def start(name):
            if name not in started:
                _need_private_engines()
                daemon = Podman() if name == "podman" else Daemon(name)
                if isinstance(daemon, Daemon) and has_memory():
                    daemon.limit_disk(ROOMY)
                stack.callback(daemon.stop)
                started[name] = daemon, daemon.start()
            return started[name]

        yield start


@pytest.fixture(scope="session", params=KINDS)
def engines(request, daemons):
    """Each private engine in turn."""
    return daemons(request.param)[1]


@pytest.fixture(params=KINDS)
def spare_daemon(request):
    """An engine of one test alone, which may kill it; each kind in turn."""
    _need_private_engines()
    daemon = Daemon(request.param)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def layers(tmp_path_factory):
    """Make layers."""
    _need_private_engines()
    return Layers(tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="session")
def base_store(tmp_path_factory):
    """Where several modules keep the bases that they make, so that each is made once."""
    return LayerStore(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="session")
def busybox(engine, layers):
    """The name of a small image in the default engine."""
    load_image(engine, make_image(layers), "reprobox-test/busybox:1", layers)
    yield "reprobox-test/busybox:1"
    engine.remove_image("reprobox-test/busybox:1")


@pytest.fixture(scope="session")
def skopeo():
    """Run skopeo and return what it prints."""
    return _tool("skopeo")


@pytest.fixture(scope="session")
def podman(tmp_path_factory):
    """Run Podman with a store of its own and return what it prints."""
    folder = tmp_path_factory.mktemp("podman")
    store = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    return _tool("podman", *store)


def _tool(name, *options):
    if shutil.which(name) is None:
        _need_private_engines()
        install_packages(name)

    def run(*argv):
        done = subprocess.run([name, *options, *argv], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry on this machine: "127.0.0.1:PORT"."""
    _need_private_engines()
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: {address}\n"
    )
    program = unpack_packages("bookworm", "docker-registry") / "usr/bin/docker-registry"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()
