"""How the program ends: with its own exit code and all of it printed, or with one clear error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("reprobox")


def call(*arguments, stdout=subprocess.PIPE):
    environ = {**os.environ, "PYTHONUNBUFFERED": ""}  # as it is for most
    done = subprocess.run(
        [PROGRAM, *arguments], stdout=stdout, stderr=subprocess.PIPE, env=environ, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr.decode()


def test_all_of_it_is_printed_before_it_ends():
    code, printed, said = call("schema")
    assert (code, said) == (0, "")
    assert json.loads(printed)["title"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["lock", "--check", "/nonexistent"], 2), (["run", "--nope"], 2), (["--version"], 0)],
)
def test_it_ends_with_its_own_exit_code(arguments, code):
    assert call(*arguments)[0] == code


PRINTING = [["--help"], ["--version"], ["build", "--help"], ["schema"], ["compat"]]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_is_no_failure(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        code, _, said = call(*arguments, stdout=stdout)
    assert (code, said) == (0, "")


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_disk_is_one_clear_error(arguments):
    with Path("/dev/full").open("wb") as stdout:
        code, _, said = call(*arguments, stdout=stdout)
    assert code == 6
    assert said.splitlines()[0] == "error: standard output: no space left on its disk"
