"""The entrypoint: it becomes the command, whose signals and exit codes are the container's."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import install_runtime

READY = "import sys, time; print('ready', flush=True); "


@pytest.fixture
def box(edge_box):
    """Nothing here is for a version between the oldest and the newest."""
    return edge_box


def _stage(name, *command):
    return {"name": name, "command": list(command)}


def test_a_command_is_run_as_given(box):
    done = box.enter("sh", "-c", 'echo "$0|$1"', "a b", "*")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a b|*\n", "")


def test_python_is_the_venvs_own_and_seeded_whatever_path_says(box):
    box.env["PATH"] = "/usr/bin:/bin"
    box.contract["env"] = {}
    done = box.enter("python", "-c", "import random, sys; print(sys.prefix, random.random())")
    assert done.stdout == f"{box.python.parent.parent} 0.07742178385330412\n"


def test_the_command_takes_the_entrypoints_place(box):
    process = box.start(*box.entrypoint, "python", "-c", "import os; print(os.getpid())")
    out, _ = process.communicate()
    assert int(out) == process.pid
    assert box.record(role="main")["pid"] == process.pid
    assert box.record(role="entrypoint")["commands"][0]["argv"][1:] == ["-c", "import os; print(os.getpid())"]


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_comes_back(newest_box, code):
    assert newest_box.enter("sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_the_command(box, number):
    process = box.start(*box.entrypoint, "python", "-c", READY + "time.sleep(60)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=20)
    # Python turns SIGINT into KeyboardInterrupt, and ends itself by that signal since 3.8.
    assert process.returncode in ((-number, 1) if number == signal.SIGINT else (-number,))


def test_a_missing_program_is_127(box):
    done = box.enter("no-such-program")
    assert done.returncode == 127
    assert done.stderr.startswith("reprobox: cannot run 'no-such-program': no such program in ")
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_path_is_127(newest_box):
    done = newest_box.enter("./missing")
    assert (done.returncode, done.stderr) == (127, "reprobox: cannot run './missing': no such file\n")


def test_a_file_that_is_not_executable_is_126(newest_box):
    (newest_box.work / "plain").write_text("#!/bin/sh\n")
    done = newest_box.enter("./plain")
    assert (done.returncode, len(done.stderr.splitlines())) == (126, 1)
    assert "not executable" in done.stderr


def test_a_folder_is_126(newest_box):
    done = newest_box.enter("/tmp")
    assert (done.returncode, done.stderr) == (126, "reprobox: cannot run '/tmp': it is a folder\n")


@pytest.mark.parametrize(
    ("text", "code", "words"), [("echo", 126, "#!"), ("#!/no/such\n", 127, "first line is missing")]
)
def test_a_script_that_cannot_start_says_why(newest_box, text, code, words):
    (newest_box.work / "odd").write_text(text)
    (newest_box.work / "odd").chmod(0o755)
    done = newest_box.enter("./odd")
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1)
    assert words in done.stderr


def test_an_empty_command_is_127(newest_box):
    assert newest_box.enter("").returncode == 127


def test_no_command_and_no_stages_is_a_usage_error(newest_box):
    done = newest_box.enter()
    assert (done.returncode, done.stderr) == (2, "reprobox: no command given, and the image has no stages\n")


def test_all_stages_run_in_order_without_arguments(box):
    box.contract["stages"] = [
        _stage("prepare", "sh", "-c", "echo prepare $REPROBOX_STAGE"),
        _stage("train", "python", "-c", "import random; print('train', random.random())"),
        _stage("predict", "sh", "-c", "echo predict; exit 4"),
    ]
    done = box.enter()
    assert done.stdout.splitlines() == ["prepare prepare", "train 0.07742178385330412", "predict"]
    assert done.returncode == 4
    commands = box.record(role="entrypoint")["commands"]
    assert [(entry["stage"], entry["exit_code"]) for entry in commands] == [
        ("prepare", 0),
        ("train", 0),
        ("predict", None),
    ]
    assert box.record(role="main")["stage"] == "train"


def test_a_failing_stage_is_the_last_one(box):
    box.contract["stages"] = [_stage("prepare", "sh", "-c", "exit 9"), _stage("train", "echo", "trained")]
    done = box.enter()
    assert (done.returncode, done.stdout) == (9, "")


def test_a_stage_killed_by_a_signal_is_128_and_that_signal(newest_box):
    newest_box.contract["stages"] = [_stage("prepare", "sh", "-c", "kill -9 $$"), _stage("train", "echo", "trained")]
    done = newest_box.enter()
    assert (done.returncode, done.stdout) == (137, "")


def test_a_missing_program_of_a_later_stage_is_found_before_the_first_runs(newest_box):
    newest_box.contract["stages"] = [_stage("prepare", "echo", "prepared"), _stage("train", "no-such-program")]
    done = newest_box.enter()
    assert (done.returncode, done.stdout) == (127, "")


def test_one_stage_by_name_with_more_arguments(newest_box):
    newest_box.contract["stages"] = [_stage("prepare", "echo", "prepare"), _stage("train", "echo", "train")]
    assert newest_box.enter("@train").stdout == "train\n"
    assert newest_box.enter("@prepare", "--fast").stdout == "prepare --fast\n"


def test_an_unknown_stage_names_the_known_ones(newest_box):
    newest_box.contract["stages"] = [_stage("train", "echo")]
    done = newest_box.enter("@trian")
    assert (done.returncode, done.stderr) == (2, "reprobox: no stage @trian in this image; it has @train\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_a_stage_that_is_not_the_last_and_ends_the_run(box, number):
    code = "trap 'echo got; exit 0' TERM INT; echo ready; while :; do sleep 0.05; done"
    box.contract["stages"] = [_stage("prepare", "sh", "-c", code), _stage("train", "echo", "trained")]
    process = box.start(*box.entrypoint)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert out == "got\n"
    assert process.returncode == 128 + number


def test_a_signal_that_comes_at_once_is_not_lost(newest_box):
    box = newest_box
    box.contract["stages"] = [_stage("prepare", "sleep", "60"), _stage("train", "echo", "trained")]
    for step in range(40):
        process = box.start(*box.entrypoint)
        time.sleep(0.005 + step / 1000)
        process.terminate()
        assert process.communicate(timeout=20)[0] == ""
        assert process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_a_broken_pipe_ends_the_command_as_it_would_without_the_entrypoint(newest_box):
    done = newest_box.enter("sh", "-c", "yes | head -n 1; kill -PIPE $$")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGPIPE, "y\n", "")


def test_missing_variables_are_added(box):
    del box.contract["env"]["PYTHONHASHSEED"]
    box.contract["env"]["OMP_NUM_THREADS"] = "1"
    done = box.enter("sh", "-c", "echo $OMP_NUM_THREADS")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_another_value_is_kept_and_warned_of(box):
    box.env["PYTHONHASHSEED"] = "5"
    done = box.enter("sh", "-c", "echo $PYTHONHASHSEED")
    text = "PYTHONHASHSEED is '5' here, the image was built with '32'"
    assert (done.stdout, done.stderr) == ("5\n", f"reprobox: warning: {text}\n")
    assert box.record(role="entrypoint")["warnings"] == [text]


def test_a_record_folder_that_cannot_be_written_is_said_once(newest_box):
    newest_box.env["REPROBOX_RECORD_DIR"] = "/proc"
    done = newest_box.enter("echo", "ran")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.startswith("reprobox: warning: record not written: ")
    assert len(done.stderr.splitlines()) == 1


BAD_STAGES = '{"schema_version": 1, "stages": [%s]}'
BAD_CONTRACTS = [
    "{",
    "[1]",
    '{"schema_version": 2}',
    '{"schema_version": 1, "env": {"A": 1}}',
    '{"schema_version": 1} x',
]
BAD_CONTRACTS += [BAD_STAGES % stage for stage in ("1", '{"name": "a"}', '{"name": "a", "command": []}')]
BAD_CONTRACTS += [BAD_STAGES % '{"name": "a", "command": ["x\\u0000"]}', BAD_STAGES % '{"name": 1, "command": ["x"]}']


@pytest.mark.parametrize("text", BAD_CONTRACTS)
def test_a_broken_contract_is_one_line(box, text):
    environment = box.environment()
    (box.work / "contract.json").write_text(text)
    done = subprocess.run(box.entrypoint, env=environment, capture_output=True, text=True, check=False, timeout=60)
    lines = [line for line in done.stderr.splitlines() if "this process is not seeded" not in line]
    assert (done.returncode, len(lines)) == (2, 1), done.stderr


def test_the_contract_lies_beside_the_entrypoint(newest_box, tmp_path):
    install_runtime(tmp_path / "elsewhere")
    environment = {**newest_box.environment(), "REPROBOX_CONTRACT": ""}
    entrypoint = [newest_box.python, "-I", tmp_path / "elsewhere" / "entrypoint.py", "echo", "found"]
    assert subprocess.check_output(entrypoint, env=environment, timeout=60) == b"found\n"


def _can_unshare() -> bool:
    command = ["unshare", "--fork", "--pid", "--mount-proc", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_unshare(), reason="needs root and unshare(1) to be process 1 of a namespace")
class TestAsProcessOne:
    """As in a container without an init: the kernel drops signals that process 1 does not handle."""

    def _start(self, box, *arguments):
        return box.start("unshare", "--fork", "--pid", "--mount-proc", "--kill-child", *box.entrypoint, *arguments)

    def _send(self, process, number):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children.split()[0]), number)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_the_command_at_once(self, box, number):
        process = self._start(box, "sh", "-c", "echo ready; exec sleep 60")
        assert process.stdout.readline() == "ready\n"
        self._send(process, number)
        process.communicate(timeout=20)
        assert process.returncode == 128 + number

    def test_the_exit_code_comes_back(self, box):
        process = self._start(box, "sh", "-c", "exit 3")
        process.communicate(timeout=20)
        assert process.returncode == 3
        record = box.record(role="entrypoint")
        assert [command["exit_code"] for command in record["commands"]] == [3]
        assert record["finished"]

    def test_the_memory_of_a_killed_command_is_known(self, box):
        code = "import os; data = b'x' * 60_000_000; os.kill(os.getpid(), 9)"
        self._start(box, "python", "-c", code).communicate(timeout=20)
        assert 60_000_000 < box.record(role="entrypoint")["max_rss"] < 200_000_000

    def test_python_is_seeded_and_knows_that_it_is_the_main_process(self, box):
        process = self._start(box, "python", "-c", "import random; print(random.random())")
        assert process.communicate(timeout=20)[0] == "0.07742178385330412\n"
        assert box.record(role="main")["pid"] != 1

    def test_orphans_are_collected(self, box):
        code = "(sleep 0.1 &); sleep 0.5; ps -e -o stat= | grep -c Z"
        process = self._start(box, "sh", "-c", code)
        assert process.communicate(timeout=20)[0] == "0\n"
