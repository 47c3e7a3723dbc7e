"""Engines that a plain user runs, who is root inside of them: root's image, and runs that are the user's."""

import json
from pathlib import Path

import pytest
from program import call_program
from rootless_engines import DOCKER, PODMAN, plain_user, rootless_engine

pytestmark = [pytest.mark.network, pytest.mark.long]

SCRIPT = """\
import os, random, sys
with open('/output/out.txt', 'w') as file:
    print(random.random(), file=file)
with open('/proc/self/status') as file:
    print(os.getuid(), *[line.split()[1] for line in file if line.startswith('CapEff')])
"""


@pytest.fixture(scope="module")
def number():
    with plain_user() as number:
        yield number


@pytest.fixture(params=[("docker", DOCKER), ("podman", PODMAN)], ids=["docker", "podman"])
def somebody(request, number, tmp_path):
    """That user, with an engine."""
    name, script = request.param
    with rootless_engine(script, number, tmp_path / "log") as user:
        user.engine = name
        yield user


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
