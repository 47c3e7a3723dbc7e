"""Run the real program, as a person would, in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("reprobox")


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        """The one JSON object on stdout."""
        return json.loads(self.stdout)


def call_program(*arguments, cwd=None, env=None, timeout=600, check=True, wrapper=()):
    """Run ``reprobox`` with these arguments; with ``check`` anything but exit code 0 fails the test.

    ``wrapper`` is a command that runs the one that follows it.
    """
    done = subprocess.run(
        [*wrapper, PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check:
        assert done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return Finished(done.returncode, done.stdout, done.stderr)
