"""A build as a person sees it: on a terminal, with bars."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from program import PROGRAM

pytestmark = pytest.mark.network


def run_on_terminal(*arguments, env, columns=80):
    """Return the exit code of the program on a terminal of its own, and what stood there, without its codes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {**os.environ, **env, "TERM": "xterm"}
    with subprocess.Popen([PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
        except OSError:  # how Linux says that nobody has the other end any more
            pass
        os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))


def test_layers_are_made_under_bars(make_project, tmp_path):
    # Many of its modules are empty, and are answered for when the bar is full.
    project = make_project("terminal", 'python: "3.11"', "packages: [mpmath==1.3.0]")
    code, shown = run_on_terminal("build", project, env={"REPROBOX_CACHE": str(tmp_path / "cache")})
    assert code == 0, shown[-3000:]
    assert "layer bytecode of" in shown
    assert re.search(r"digest +sha256:[0-9a-f]{64}", shown)
