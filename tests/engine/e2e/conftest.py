"""Whole commands against the real engine and the real archives."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "index"))

from engine_packages import CACHE
from program import call_program


@pytest.fixture(scope="session", autouse=True)
def one_cache(engine):
    """All of these tests share one cache, beside what other tests download, unless REPROBOX_CACHE says otherwise."""
    os.environ.setdefault("REPROBOX_CACHE", str(CACHE / "reprobox"))


@pytest.fixture(scope="session")
def fresh_lock():
    """Build a project with the lock it has; on the day the archive drops one of its packages, with a new one."""

    def build(folder):
        done = call_program("build", "--json", folder, check=False, timeout=1200)
        if done.code and "lock --upgrade" in done.stderr:
            print(f"the archive has dropped a package of {folder}'s lock: locking anew\n{done.stderr}")
            call_program("lock", "--upgrade", folder)
            done = call_program("build", "--json", folder, timeout=1200)
        assert done.code == 0, done.stderr
        return done.json

    return build


@pytest.fixture(scope="session")
def make_project(tmp_path_factory):
    """Make a small project: a spec with some lines of one's own, and a script."""

    def make(name, *lines, script="print('hello')\n"):
        folder = tmp_path_factory.mktemp(name) / name
        folder.mkdir()
        spec = ["reprobox: 1", f"name: {name}", "seed: 32", "command: python script.py", *lines]
        (folder / "spec.yaml").write_text("\n".join(spec) + "\n")
        (folder / "script.py").write_text(script)
        return folder

    return make
