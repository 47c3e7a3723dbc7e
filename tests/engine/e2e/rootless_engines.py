"""Engines that a plain user runs, and that user."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
from engine_daemons import ROOMY, has_memory, unmount_below
from engine_packages import install_packages, why_not
from somebody import Somebody

from reprobox.engines.docker import connect
from reprobox.errors import EngineError

NAME, NUMBER = "rbx-rootless", 54322
PACKAGES = ("uidmap", "rootlesskit", "podman", "docker.io")
# As dockerd-rootless.sh does, without the network of its own: what is to be its own below /run must not be root's.
DOCKER = """
exec rootlesskit --net=host --copy-up=/etc --copy-up=/run --state-dir="$HOME/kit" sh -c '
    rm -f /run/docker /run/containerd /run/xtables.lock; exec "$@"' sh \\
    dockerd --rootless --host "$DOCKER_HOST" --data-root "$HOME/root" --exec-root "$XDG_RUNTIME_DIR/exec" \\
    --pidfile "$XDG_RUNTIME_DIR/pid" --bridge=none --iptables=false --ip6tables=false \\
    --exec-opt native.cgroupdriver=cgroupfs
"""
PODMAN = 'exec podman --cgroup-manager=cgroupfs system service --time 0 "$DOCKER_HOST"'
LIMITS = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
"""Podman's own are higher than a plain user may set on every machine."""


@contextmanager
def plain_user():
    """Make a user with numbers of their own for the users inside, as everybody has whom a system's tools made."""
    if reason := why_not():
        pytest.skip(reason)
    if any(shutil.which(name) is None for name in ("newuidmap", "rootlesskit", "podman", "dockerd")):
        install_packages(*PACKAGES)
    for command in ("userdel", "groupdel"):  # what a run left that was killed
        subprocess.run([command, NAME], check=False, capture_output=True, timeout=30)
    subprocess.run(["groupadd", f"--gid={NUMBER}", NAME], check=True, timeout=30)
    subprocess.run(["useradd", f"--uid={NUMBER}", f"--gid={NUMBER}", "--no-create-home", NAME], check=True, timeout=30)
    try:
        yield NUMBER
    finally:
        subprocess.run(["userdel", NAME], check=True, timeout=30)


@contextmanager
def rootless_engine(script, number, log, start=()):
    """Start an engine as that user, by way of the program ``start``; return the user, whose environment names it."""
    user = Somebody(number)
    if has_memory():
        # Podman copies a whole image for each container where a plain user may not mount what it needs.
        options = f"size={ROOMY},uid={number},gid={number},mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", user.folder], check=True, timeout=30)
    for folder in ("run", "config"):
        (user.folder / folder).mkdir()
        os.chown(user.folder / folder, number, number)
    (user.folder / "containers.conf").write_text(LIMITS)
    user.environ |= {
        "DOCKER_HOST": f"unix://{user.folder}/run/engine.sock",
        "XDG_RUNTIME_DIR": str(user.folder / "run"),
        "XDG_CONFIG_HOME": str(user.folder / "config"),
        "CONTAINERS_CONF": str(user.folder / "containers.conf"),
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
    }
    with log.open("wb") as stream:
        process = user.start("sh", "-c", script, log=stream, by=start)
    try:
        _wait_for(user.environ["DOCKER_HOST"], log)
        yield user
    finally:
        subprocess.run(["pkill", "-u", str(number)], check=False, timeout=30)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            subprocess.run(["pkill", "-KILL", "-u", str(number)], check=False, timeout=30)
            process.wait(timeout=60)
        unmount_below(user.folder)
        user.leave()


def _wait_for(host, log):
    for _ in range(1200):
        try:
            connect({"DOCKER_HOST": host})
        except EngineError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the engine did not start:\n{log.read_text()[-3000:]}")
