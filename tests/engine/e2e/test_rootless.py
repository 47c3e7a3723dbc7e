"""Engines that a plain user runs, who is root inside of them: root's image, and runs that are the user's."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from engine_daemons import ROOMY, has_memory, unmount_below
from engine_packages import install_packages, why_not
from program import call_program
from somebody import Somebody

from reprobox.engines.docker import connect
from reprobox.errors import EngineError

pytestmark = [pytest.mark.network, pytest.mark.long]

NAME, NUMBER = "rbx-rootless", 54322
PACKAGES = ("uidmap", "rootlesskit", "podman", "docker.io")
SCRIPT = """\
import os, random, sys
with open('/output/out.txt', 'w') as file:
    print(random.random(), file=file)
with open('/proc/self/status') as file:
    print(os.getuid(), *[line.split()[1] for line in file if line.startswith('CapEff')])
"""
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


@pytest.fixture(scope="module")
def number():
    """A user with numbers of their own for the users inside, as everybody has whom a system's tools made."""
    if reason := why_not():
        pytest.skip(reason)
    if any(shutil.which(name) is None for name in ("newuidmap", "rootlesskit", "podman", "dockerd")):
        install_packages(*PACKAGES)
    for command in ("userdel", "groupdel"):  # what a run left that was killed
        subprocess.run([command, NAME], check=False, capture_output=True, timeout=30)
    subprocess.run(["groupadd", f"--gid={NUMBER}", NAME], check=True, timeout=30)
    subprocess.run(["useradd", f"--uid={NUMBER}", f"--gid={NUMBER}", "--no-create-home", NAME], check=True, timeout=30)
    yield NUMBER
    subprocess.run(["userdel", NAME], check=True, timeout=30)


@pytest.fixture(params=[("docker", DOCKER), ("podman", PODMAN)], ids=["docker", "podman"])
def somebody(request, number, tmp_path):
    """That user, with an engine."""
    name, script = request.param
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
    user.engine = name
    with (tmp_path / "log").open("wb") as log:
        process = user.start("sh", "-c", script, log=log)
    try:
        wait_for(user.environ["DOCKER_HOST"], tmp_path / "log")
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


def wait_for(host, log):
    for _ in range(1200):
        try:
            connect({"DOCKER_HOST": host})
        except EngineError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the engine did not start:\n{log.read_text()[-3000:]}")


def test_the_image_is_root_s_and_what_runs_leave_is_the_user_s(somebody, make_project):
    roots = make_project("rootless", "packages: [six==1.17.0]", "resources: {memory: 500m}", script=SCRIPT)
    call_program("lock", roots)
    theirs = somebody.copy(roots)
    built = somebody.program("build", "--json", theirs)
    assert not any(layer["cached"] for layer in built["layers"])
    assert built["image_digest"] == call_program("build", "--json", roots).json["image_digest"]
    done = somebody.program("run", "--json", theirs)
    assert done["exit_code"] == 0
    run = Path(done["run_dir"])
    # Docker maps its user to root inside and nobody else; Podman maps the user to themselves.
    expected = "0" if somebody.engine == "docker" else str(somebody.number)
    assert (run / "log.txt").read_text().split() == [expected, "0" * 16]
    record = json.loads((run / "run.json").read_text())
    assert record["engine"]["rootless"] is True
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():  # version 1, which no plain user has a say in
        assert [one for one in record["warnings"] if one.startswith("resources: memory had no effect")]
    assert 1 << 20 < record["stages"][0]["peak_memory"] < 500 << 20
    assert {path.lstat().st_uid for path in theirs.rglob("*")} == {somebody.number}
    assert somebody.program("verify", "--runs", "2", "--json", theirs)["verdict"] == "IDENTICAL"
