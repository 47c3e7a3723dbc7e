"""What a person sees: on a terminal, with bars."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from program import PROGRAM, call_program

from tests.screens import Screen

pytestmark = pytest.mark.network

_LINES = 60


def run_on_terminal(*arguments, env, columns=80):
    """Return the exit code of the program on a terminal of its own, what was written there, and what stands there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
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
    written = shown.decode(errors="replace")
    screen = Screen(columns, _LINES)
    screen.take(written)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written), screen.lines


def test_layers_are_made_under_bars(make_project, tmp_path):
    # Many of its modules are empty, and are answered for when the bar is full.
    project = make_project("terminal", 'python: "3.11"', "packages: [mpmath==1.3.0]")
    code, shown, _ = run_on_terminal("build", project, env={"REPROBOX_CACHE": str(tmp_path / "cache")})
    assert code == 0, shown[-3000:]
    assert "layer bytecode of" in shown
    assert re.search(r"digest +sha256:[0-9a-f]{64}", shown)


TRAINING = """
import time
from pathlib import Path

for epoch in range(1, 5):
    print(f"epoch {epoch}", flush=True)
    time.sleep(0.5)
Path("/output/metrics.json").write_text('{"loss": 0.25}')
"""


def test_runs_show_what_they_print_while_they_go_on_and_leave_their_rows(make_project):
    project = make_project("seen", 'python: "3.11"', script=TRAINING)
    call_program("build", project)
    code, shown, screen = run_on_terminal("verify", "--runs", "3", project, env={}, columns=200)
    assert code == 0, shown[-3000:]
    for number in (1, 2, 3):
        assert re.search(rf"run {number} of 3, seed 32 [0-9]+ s epoch [1-4]", shown)
    assert [line[:8] for line in screen] == ["run 1/3 ", "run 2/3 ", "run 3/3 ", "verdict ", "record  "]


def test_seeds_at_once_show_what_they_print_and_leave_their_rows(make_project):
    project = make_project("seen-seeds", 'python: "3.11"', script=TRAINING)
    call_program("build", project)
    code, shown, screen = run_on_terminal("sweep", "--seeds", "4", "--jobs", "2", project, env={}, columns=200)
    assert code == 0, shown[-3000:]
    assert re.search(r"run 2 of 4, seed [0-9]+ [0-9]+ s epoch [1-4]", shown)
    rows = [line for line in screen if line.startswith("seed ")]
    assert len(rows) == 5
    assert screen[:5] == rows


def test_a_window_that_is_closed_ends_no_verification(make_project, tmp_path):
    project = make_project("unseen", 'python: "3.11"', script=TRAINING)
    call_program("build", project)
    ours, theirs = pty.openpty()
    argv = [PROGRAM, "verify", "--runs", "2", project]
    out = tmp_path / "out.txt"
    environ = {**os.environ, "TERM": "xterm"}
    with out.open("wb") as stream, subprocess.Popen(argv, stdout=stream, stderr=theirs, env=environ) as process:
        os.close(theirs)
        shown = b""
        while b"epoch 2" not in shown:
            shown += os.read(ours, 1 << 16)
        os.close(ours)
    assert process.returncode == 0
    assert [line[:8] for line in out.read_text().splitlines()] == ["run 1/2 ", "run 2/2 ", "verdict ", "record  "]
