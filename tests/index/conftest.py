"""Tests with real programs and a server on 127.0.0.1; nothing outside this machine is asked."""

import os
import shutil

import pytest
from index_server import IndexServer

from reprobox.blobs import BlobStore
from reprobox.lock import PythonTarget
from reprobox.resolve.python_config import read_python_config
from reprobox.resolve.wheels import WheelRequest, resolve_wheels

_FOREIGN = ("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_", "XDG_", "NETRC")


@pytest.fixture
def index():
    server = IndexServer()
    yield server
    server.close()


@pytest.fixture
def other_index():
    server = IndexServer()
    yield server
    server.close()


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "cache")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of its own: no configuration but what the test writes, and no uv cache of anybody's."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    made = Machine(tmp_path, monkeypatch)
    made.setenv(
        HOME=str(made.home),
        UV_CACHE_DIR=str(tmp_path / "uv-cache"),
        VIRTUAL_ENV=str(tmp_path / "venv"),
        # One retry: an index that is down on purpose should not cost ten seconds.
        UV_HTTP_RETRIES="1",
    )
    yield made
    shutil.rmtree(tmp_path / "uv-cache", ignore_errors=True)


class Machine:
    """Where the test's configuration lives, and how to lock under it."""

    python = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")

    def __init__(self, root, monkeypatch):
        self.root, self.home, self.etc = root, root / "home", root / "etc"
        self.home.mkdir()
        self._monkeypatch = monkeypatch
        self.warnings = []

    def setenv(self, **values):
        for name, value in values.items():
            self._monkeypatch.setenv(name, value)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    @property
    def config(self):
        return read_python_config(os.environ, self.home, etc=self.etc)

    def lock(self, *requirements, indexes=(), file=None, backend=None, **rest):
        request = WheelRequest(requirements, file, tuple(indexes), self.python, backend, self.config, **rest)
        return resolve_wheels(request, self.warnings.append)
