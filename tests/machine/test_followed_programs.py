"""A real program that is followed line by line, and stopped."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from reprobox.process import Followed

SLOW = "import signal, sys, time; print('up', file=sys.stderr, flush=True); time.sleep(60)"


def python(code):
    return [sys.executable, "-c", code]


def test_lines_come_while_it_runs_and_its_answer_at_the_end():
    seen = []
    code = "import sys; print('one', file=sys.stderr); print('two', file=sys.stderr); print('answer'); sys.exit(3)"
    done = Followed(python(code)).run(seen.append)
    assert seen == ["one", "two"]
    assert (done.code, done.stdout, done.stderr) == (3, "answer\n", "one\ntwo")


def test_it_is_stopped_from_another_thread():
    program = Followed(python(SLOW))
    began = time.monotonic()
    done = program.run(lambda line: threading.Thread(target=program.stop).start())
    assert done.code == -15
    assert time.monotonic() - began < 30


def test_one_that_was_stopped_before_does_not_start():
    program = Followed(python("raise SystemExit(0)"))
    program.stop()
    assert program.run(lambda line: None).code == -15


def test_what_it_follows_ends_with_it_even_when_it_is_killed(tmp_path):
    child = (
        "import os, sys, time; from reprobox.process import end_with_stdin; end_with_stdin();"
        " print(os.getpid(), file=sys.stderr, flush=True); time.sleep(60)"
    )
    parent = (
        "import sys; from reprobox.process import Followed;"
        f" Followed([sys.executable, '-c', {child!r}]).run(lambda line: print(line, flush=True))"
    )
    with subprocess.Popen(python(parent), stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.kill()
        process.wait(timeout=30)
    for _ in range(300):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    raise AssertionError("it goes on")
