"""The doctor tries the package indexes and the Debian mirror, quickly, and never fails for want of an answer."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

NOWHERE = "unix:///nonexistent/engine.sock"
CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def silent():
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def ask(machine, **environ):
    """Return what the doctor says of the places, and how long all of it took."""
    machine.setenv(DOCKER_HOST=NOWHERE, **environ)
    began = time.monotonic()
    argv = [Path(sys.executable).with_name("reprobox"), "doctor", "--json"]
    done = subprocess.run(argv, cwd=machine.root, capture_output=True, text=True, timeout=60, check=False)
    seconds = time.monotonic() - began
    findings = json.loads(done.stdout)["findings"]
    assert (done.returncode, "Traceback" in done.stderr) == (5, False), done.stderr
    assert [one["name"] for one in findings if one["status"] == "failed"] == ["engine"]
    return [one for one in findings if one["name"] in ("package index", "Debian mirror")], seconds


def test_places_that_answer_are_fine(machine, index):
    places, _ = ask(machine, PIP_INDEX_URL=index.simple, REPROBOX_DEBIAN_MIRROR=f"{index.root}/debian")
    assert [(one["name"], one["status"]) for one in places] == [("package index", "ok"), ("Debian mirror", "ok")]
    assert f"{index.root}/simple answers" in places[0]["detail"]
    assert index.asked_for("/simple/pip/")
    assert index.asked_for("/debian/dists/")


def test_places_that_are_closed_are_warnings(machine):
    places, _ = ask(machine, PIP_INDEX_URL=f"{CLOSED}/simple", REPROBOX_DEBIAN_MIRROR=f"{CLOSED}/debian")
    assert [one["status"] for one in places] == ["warning", "warning"]
    assert "no connection could be made" in places[0]["detail"]


def test_places_that_never_answer_cost_two_seconds_together(machine, silent, index):
    places, quick = ask(machine, PIP_INDEX_URL=index.simple, REPROBOX_DEBIAN_MIRROR=index.root)
    places, seconds = ask(
        machine,
        PIP_INDEX_URL=f"{silent}/simple",
        PIP_EXTRA_INDEX_URL=f"{silent}/more",
        REPROBOX_DEBIAN_MIRROR=silent,
    )
    assert [one["status"] for one in places] == ["warning"] * 3
    assert all("no answer in time" in one["detail"] for one in places)
    assert seconds - quick < 3.5


def test_credentials_are_sent_and_never_shown(machine, index):
    index.habits.login = ("me", "secret")
    url = index.simple.replace("://", "://me:secret@")
    places, _ = ask(machine, PIP_INDEX_URL=url, REPROBOX_DEBIAN_MIRROR=CLOSED)
    assert places[0]["status"] == "ok"
    assert "secret" not in json.dumps(places)
    places, _ = ask(machine, PIP_INDEX_URL=url.replace("secret", "other"), REPROBOX_DEBIAN_MIRROR=CLOSED)
    assert places[0]["status"] == "warning"
    assert "wants other credentials (401)" in places[0]["detail"]
    assert "other@" not in json.dumps(places)


def test_a_folder_as_mirror_is_looked_at(machine):
    places, _ = ask(machine, PIP_NO_INDEX="1", REPROBOX_DEBIAN_MIRROR=f"file://{machine.root}/none")
    assert [(one["name"], one["status"]) for one in places] == [("Debian mirror", "warning")]
    assert "no such folder" in places[0]["detail"]


def test_an_index_that_cannot_be_one_is_a_warning_and_the_mirror_is_tried(machine, index):
    places, _ = ask(machine, PIP_INDEX_URL="http://[bad", REPROBOX_DEBIAN_MIRROR=f"{index.root}/debian")
    assert [(one["name"], one["status"]) for one in places] == [("Debian mirror", "ok"), ("package index", "warning")]
    assert "PIP_INDEX_URL" in places[1]["detail"]
