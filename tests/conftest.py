"""Fences that hold for every test."""

import socket
import subprocess

import pytest


@pytest.fixture(autouse=True)
def fence_unit_tests(request, monkeypatch):
    """Unit and golden tests reach neither a program nor a network."""
    if not {"unit", "golden"} & set(request.path.parts):
        return

    def refuse(*args, **kwargs):
        pytest.fail(f"a unit test tried to start a program or open a connection: {args!r}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
