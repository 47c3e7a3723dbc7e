"""Somebody who is not root and may only talk to the engine builds, runs and verifies; everything left is theirs."""

import os
import stat
from pathlib import Path

import pytest
from program import call_program
from somebody import Somebody

pytestmark = [pytest.mark.network, pytest.mark.long]

NUMBER = 54321
SCRIPT = "import os, random; open('/output/out.txt', 'w').write(f'{random.random()} {os.getuid()}\\n')\n"


@pytest.fixture(scope="module")
def somebody():
    """A user who is in the engine's group and nothing else."""
    path = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    if not path.is_socket():
        pytest.skip("this engine is not reached by a socket, and so by no group's rights")
    socket = path.stat()
    if not socket.st_mode & stat.S_IWGRP or socket.st_gid == 0:
        pytest.skip("this engine's socket belongs to no group but root's")
    somebody = Somebody(NUMBER, [socket.st_gid])
    yield somebody
    somebody.leave()


def test_somebody_builds_what_root_builds_and_owns_what_runs_leave(somebody, make_project):
    roots = make_project("not-root", "packages: [six==1.17.0]", script=SCRIPT)
    call_program("lock", roots)
    theirs = somebody.copy(roots)
    built = somebody.program("build", "--json", theirs)
    assert not any(layer["cached"] for layer in built["layers"])
    assert built["image_digest"] == call_program("build", "--json", roots).json["image_digest"]
    done = somebody.program("run", "--json", theirs)
    assert done["exit_code"] == 0
    number, user = (Path(done["run_dir"]) / "output" / "out.txt").read_text().split()
    assert 0 < float(number) < 1
    assert user not in {"0", ""}
    assert somebody.program("verify", "--runs", "2", "--json", theirs)["verdict"] == "IDENTICAL"
    everything = list(somebody.folder.rglob("*"))
    assert len(everything) > 50
    assert {path.lstat().st_uid for path in everything} == {NUMBER}
