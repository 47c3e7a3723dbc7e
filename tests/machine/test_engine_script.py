"""`make` uses the engine that answers, starts one where it may, stops what it started, and else says what is needed."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = ("bash", "cat", "dirname", "env", "grep", "id", "mkdir", "rm", "sed", "seq", "setsid", "sleep", "tail", "touch")
STUBS = {
    # Stands for Python asking the engine.
    "python": '[ -e "$ROOM/up" ] || { echo "no engine answers" >&2; exit 1; }',
    "id": "echo ${USER_NUMBER:-0}",
    "apt-get": 'echo "$@" >>"$ROOM/apt"; [ "$1" = update ] || cp "$ROOM/dockerd" "$ROOM/bin/dockerd"',
    "systemctl": '[ "$1" = start ] && touch "$ROOM/up" || rm -f "$ROOM/up"',
    "cgroupfs-mount": ":",
}
DOCKERD = """#!/usr/bin/env bash
echo $$ >"$2"
echo "$@" >>"$ROOM/dockerd.calls"
[ -z "${BROKEN:-}" ] || { echo 'failed to start: iptables' >&2; exit 1; }
trap 'rm -f "$ROOM/up"; exit' TERM
touch "$ROOM/up"
while :; do sleep 0.1; done
"""


@pytest.fixture
def room(tmp_path):
    """A checkout with the scripts alone, and a machine made of stubs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "scripts").mkdir()
    for name in ("engine", "with-engine"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    for name in (*TOOLS, "cp"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    for name, text in STUBS.items():
        (tmp_path / "bin" / name).unlink(missing_ok=True)
        write_program(tmp_path / "bin" / name, f"#!/usr/bin/env bash\n{text}\n")
    write_program(tmp_path / "dockerd", DOCKERD)
    return tmp_path


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


def call(room, *command, **environ):
    known = {"PATH": str(room / "bin"), "ROOM": str(room), "REPROBOX_PYTHON": str(room / "bin" / "python")}
    return subprocess.run(
        command, cwd=room, env=known | environ, capture_output=True, text=True, timeout=60, check=False
    )


def count_calls(room, name):
    path = room / name
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.parametrize(
    ("environ", "missing"),
    [({"USER_NUMBER": "1000"}, ""), ({"DOCKER_HOST": "tcp://elsewhere:2375"}, ""), ({}, "apt-get")],
)
def test_where_it_may_start_none_it_says_what_is_needed(room, environ, missing):
    if missing:
        (room / "bin" / missing).unlink()
    done = call(room, "scripts/with-engine", "touch", "ran", **environ)
    assert done.returncode == 1
    assert "no engine answers" in done.stderr
    assert "needed: Docker 20.10 or newer, or Podman 4 or newer, running, and allowed for this user" in done.stderr
    assert not (room / "ran").exists()
    assert count_calls(room, "apt") == 0


def test_the_engine_that_answers_is_used_and_left_running(room):
    (room / "up").touch()
    assert call(room, "scripts/with-engine", "touch", "ran").returncode == 0
    assert (room / "ran").exists()
    assert (room / "up").exists()


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd starts the engine on this machine")
@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="it installs an engine on Debian and Ubuntu only")
@pytest.mark.parametrize("code", [0, 3])
def test_one_that_it_installs_and_starts_is_stopped_afterwards_whatever_the_command_came_to(room, code):
    done = call(room, "scripts/with-engine", "bash", "-c", f'cp "$ROOM/up" ran; exit {code}')
    assert done.returncode == code, done.stderr
    assert (room / "ran").exists()
    assert "installing this distribution's docker.io" in done.stderr
    assert "stopping dockerd" in done.stderr
    for _ in range(50):
        if not (room / "up").exists():
            break
        time.sleep(0.1)
    assert not (room / "up").exists()
    assert not (room / ".cache" / "engine" / "dockerd.pid").exists()


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd starts the engine on this machine")
@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="it installs an engine on Debian and Ubuntu only")
def test_without_a_packet_filter_it_is_started_again_and_what_it_says_is_shown(room):
    done = call(room, "scripts/engine", "ensure", BROKEN="yes")
    assert done.returncode == 1
    assert "no packet filter for containers here" in done.stderr
    assert "failed to start: iptables" in done.stderr
    calls = (room / "dockerd.calls").read_text().splitlines()
    assert ["--bridge=none" in one for one in calls] == [False, True]
