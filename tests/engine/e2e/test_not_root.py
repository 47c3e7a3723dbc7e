"""Somebody who is not root and may only talk to the engine builds, runs and verifies; everything left is theirs."""

import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest
from engine_packages import REPOSITORY
from program import call_program

pytestmark = pytest.mark.network

SOMEBODY = 54321
SCRIPT = "import os, random; open('/output/out.txt', 'w').write(f'{random.random()} {os.getuid()}\\n')\n"


@pytest.fixture(scope="module")
def somebody():
    """Run commands as a user who owns one folder, is in the engine's group and nothing else."""
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root; as a plain user every other test here shows the same")
    path = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    if not path.is_socket():
        pytest.skip("this engine is not reached by a socket, and so by no group's rights")
    socket = path.stat()
    if not socket.st_mode & stat.S_IWGRP or socket.st_gid == 0:
        pytest.skip("this engine's socket belongs to no group but root's")
    root = Path(tempfile.mkdtemp(prefix="rbx-somebody-"))
    os.chown(root, SOMEBODY, SOMEBODY)
    paths = [str(REPOSITORY), sysconfig.get_path("purelib")]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("REPROBOX", "XDG_"))}
    environ |= {"HOME": str(root), "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    become = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", f"--groups={socket.st_gid}", "--no-new-privs"]
    # What setpriv starts itself, it still finds with root's rights.
    become += ["sh", "-c", 'exec "$@"', "sh"]

    def run(*argv):
        command = [*become, *map(str, argv)]
        return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=900, check=False)

    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}")
    python = next((path for path in pythons if run(path, "-c", "import reprobox.cli").returncode == 0), None)
    if python is None:
        shutil.rmtree(root)
        pytest.skip(f"nobody but root may use this {version} or read {REPOSITORY}")

    def program(*argv):
        done = run(python, "-m", "reprobox", *argv)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    program.folder = root
    yield program
    shutil.rmtree(root)


def test_somebody_builds_what_root_builds_and_owns_what_runs_leave(somebody, make_project):
    roots = make_project("not-root", "packages: [six==1.17.0]", script=SCRIPT)
    theirs = somebody.folder / "project"
    call_program("lock", roots)
    shutil.copytree(roots, theirs)
    for path in [theirs, *theirs.rglob("*")]:
        os.chown(path, SOMEBODY, SOMEBODY)
    built = somebody("build", "--json", theirs)
    assert not any(layer["cached"] for layer in built["layers"])
    assert built["image_digest"] == call_program("build", "--json", roots).json["image_digest"]
    done = somebody("run", "--json", theirs)
    assert done["exit_code"] == 0
    number, user = (Path(done["run_dir"]) / "output" / "out.txt").read_text().split()
    assert 0 < float(number) < 1
    assert user not in {"0", ""}
    assert somebody("verify", "--runs", "2", "--json", theirs)["verdict"] == "IDENTICAL"
    everything = list(somebody.folder.rglob("*"))
    assert len(everything) > 50
    assert {path.lstat().st_uid for path in everything} == {SOMEBODY}
