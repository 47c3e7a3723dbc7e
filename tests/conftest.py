"""Fences that hold for every test."""

import signal
import socket
import subprocess

import pytest


def pytest_addoption(parser):
    parser.addoption("--update-backends", action="store_true", help="write the tables in docs/backends.md anew")


@pytest.fixture(autouse=True)
def fence_unit_tests(request, monkeypatch):
    """Unit and golden tests reach neither a program nor a network."""
    if not {"unit", "golden"} & set(request.path.parts):
        return

    def refuse(*args, **kwargs):
        pytest.fail(f"a unit test tried to start a program or open a connection: {args!r}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True)
def _heard_signals():
    """Hear what nohup, or a shell's job in the background, has ignored for this process and all that it starts."""
    defaults = dict.fromkeys((signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM), signal.SIG_DFL)
    defaults[signal.SIGINT] = signal.default_int_handler
    ignored = [number for number in defaults if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, defaults[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
