"""Commands as a user who is not root and owns one folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest
from engine_packages import REPOSITORY
from program import Finished


class Somebody:
    """A user by number, with or without an entry among the machine's; skips where reprobox cannot be run as them."""

    def __init__(self, number, groups=()):
        if os.geteuid() != 0:
            pytest.skip("becoming somebody else needs root; as a plain user every other test here shows the same")
        self.number = number
        self.folder = Path(tempfile.mkdtemp(prefix="rbx-"))
        os.chown(self.folder, number, number)
        paths = [str(REPOSITORY), sysconfig.get_path("purelib")]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPROBOX", "XDG_"))}
        self.environ = {**kept, "HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.environ["PYTHONPATH"] = os.pathsep.join(paths)
        chosen = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
        become = ["setpriv", f"--reuid={number}", f"--regid={number}", chosen]
        # What setpriv starts itself, it still finds with root's rights.
        find = ["sh", "-c", 'exec "$@"', "sh"]
        self._become, self._become_no_more = [*become, *find], [*become, "--no-new-privs", *find]
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        pythons = (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}")
        self._python = next((path for path in pythons if self._can_use(path)), None)
        if self._python is None:
            self.leave()
            pytest.skip(f"nobody but root may use this {version} or read {REPOSITORY}")

    def _can_use(self, python):
        return self.run(python, "-c", "import reprobox.cli").returncode == 0

    def start(self, *argv, log, by=()):
        """Start a program as them, in a session of its own; it may use what runs with more rights than theirs.

        ``by`` is a command that root runs, which becomes the command after it.
        """
        command = [*by, *self._become, *map(str, argv)]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
        )

    def run(self, *argv):
        """Run a program as them to its end, with no rights but theirs."""
        command = [*self._become_no_more, *map(str, argv)]
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=900, check=False
        )

    def program(self, *argv):
        """Run ``reprobox`` as them; return the JSON that it prints."""
        done = self.run(self._python, "-m", "reprobox", *argv)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def judge(self, bundle, contest, out):
        """Judge a bundle as them."""
        return self.run(self._python, "-m", "reprobox", "judge", "--contest", contest, "-o", out, bundle)

    def call(self, *argv):
        """Run ``reprobox`` as them, however it ends."""
        done = self.run(self._python, "-m", "reprobox", *argv)
        return Finished(done.returncode, done.stdout, done.stderr)

    def copy(self, project, name="project"):
        """Give them a project of their own."""
        theirs = self.folder / name
        shutil.copytree(project, theirs)
        for path in [theirs, *theirs.rglob("*")]:
            os.chown(path, self.number, self.number)
        return theirs

    def leave(self):
        """Remove what they had."""
        shutil.rmtree(self.folder)
