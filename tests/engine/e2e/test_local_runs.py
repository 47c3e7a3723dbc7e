"""Runs without a container: results as in one, without any engine, as whoever calls; and said to be what they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gpu_stand_ins import SMI, install
from local_marks import LOCAL
from program import PROGRAM, call_program
from runtime.venvs import install_venv
from somebody import Somebody

pytestmark = [*LOCAL]

SCRIPT = """\
import json, os, socket, sys
import numpy
loss = float(numpy.random.rand())
order = list({'one', 'two', 'three', 'four'})
with open('/output/numbers.json', 'w') as stream:
    json.dump({'loss': loss, 'order': order, 'data': open('/input/data').read()}, stream)
try:
    socket.create_connection(('192.0.2.1', 80), timeout=2)
except OSError as error:
    print(error.strerror)
print(f'loss={loss}', os.getcwd(), sys.prefix, os.environ['OMP_NUM_THREADS'])
"""
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    folder = make_project(
        "local-runs",
        "frameworks: {numpy: 2.4.6}",
        "system: [tree]",
        "outputs: [numbers.json]",
        "inputs: {data: {path: data.txt, sha256: 3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7}}",
        script=SCRIPT,
    )
    (folder / "data.txt").write_text("data")
    fresh_lock(folder)
    return folder


def read_run(done):
    folder = Path(done["run_dir"])
    return folder, json.loads((folder / "run.json").read_text())


def test_it_gives_what_the_container_gives_and_says_what_it_is(project):
    inside = call_program("run", "--json", project).json
    done = call_program("run", "--engine", "local", "--json", project, env=NOWHERE).json
    assert done["outputs"] == inside["outputs"]
    folder, record = read_run(done)
    unreachable, line = (folder / "log.txt").read_text().splitlines()
    assert "unreachable" in unreachable
    assert line.split()[1:] == ["/work", "/opt/venv", "1"]
    assert record["engine"]["name"] == "local"
    assert record["engine"]["isolation"].startswith("namespaces: ")
    assert record["image_digest"].startswith("local:")
    assert record["warnings"][0].startswith("not in a container: ")
    assert "Debian packages of the lock were not used: tree" in " ".join(record["warnings"])
    assert [one["role"] for one in record["runtime"]["processes"]] == ["entrypoint", "main"]


def test_verify_runs_it_side_by_side(project):
    options = ("--engine", "local", "--runs", "3", "--jobs", "2", "--json")
    assert call_program("verify", *options, project, env=NOWHERE).json["verdict"] == "IDENTICAL"


def test_two_at_once_lay_it_out_once(project):
    shutil.rmtree(project / ".reprobox" / "local", ignore_errors=True)
    argv = [PROGRAM, "run", "--engine", "local", "--json", project]
    both = [subprocess.Popen(argv, env={**os.environ, **NOWHERE}, stdout=subprocess.PIPE) for _ in range(2)]
    told = [json.loads(process.communicate(timeout=300)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0]["outputs"] == told[1]["outputs"]
    assert told[0]["run_dir"] != told[1]["run_dir"]


def test_it_is_compared_with_a_container_s_run(project):
    _, record = read_run(call_program("run", "--json", project).json)
    options = ("--engine", "local", "--runs", "1", "--against", record["id"], "--json")
    assert call_program("verify", *options, project, env=NOWHERE).json["verdict"] == "IDENTICAL"


def test_an_interpreter_that_is_given_is_used_as_it_is(project):
    python = install_venv("3.11", ("numpy==2.3.5",))
    (site,) = python.parent.parent.glob("lib/python3.*/site-packages")
    # As an older image's folder would bring it: another runtime, which must not take over.
    (site / "reprobox.pth").write_text("import sys; sys.modules['reprobox_runtime'] or sys.exit(9)\n")
    done = call_program("run", "--engine", "local", "--python", python, "--json", project, env=NOWHERE).json
    _, record = read_run(done)
    (process,) = [one for one in record["runtime"]["processes"] if one["role"] == "main"]
    assert (process["backends"]["numpy"]["seed"], process["backends"]["numpy"]["version"]) == (32, "2.3.5")
    (said,) = [one for one in record["warnings"] if one.startswith("packages are those of")]
    assert said == f"packages are those of {python}, and differ from the lock: numpy 2.3.5 (lock: 2.4.6)"


def test_gpus_are_shown_or_hidden_as_asked_for(project, tmp_path):
    install(tmp_path, "nvidia-smi", SMI)
    environ = {**NOWHERE, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ("--", "sh", "-c", 'echo "<${CUDA_VISIBLE_DEVICES-unset}>" "$CUDA_DEVICE_ORDER"')
    for gpu, allotted, shown, count in (
        ("0", {}, "0", 1),
        ("none", {}, "", 0),
        ("all", {}, "unset", 1),
        ("all", {"CUDA_VISIBLE_DEVICES": "0"}, "0", 1),
    ):
        argv = ("run", "--engine", "local", f"--gpu={gpu}", "--json", project, *command)
        folder, record = read_run(call_program(*argv, env={**environ, **allotted}).json)
        assert (folder / "log.txt").read_text() == f"<{shown}> PCI_BUS_ID\n"
        assert len(record["gpus"]) == count


def test_a_caller_that_was_allotted_no_gpu_is_refused(project, tmp_path):
    install(tmp_path, "nvidia-smi", SMI)
    environ = {**NOWHERE, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    done = call_program("run", "--engine", "local", "--gpu=all", project, env=environ, check=False)
    assert (done.code, "which leaves no GPU" in done.stderr) == (5, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "podmen"), "there is no such engine"),
        (("--python", sys.executable), "--python goes with --engine local"),
        (("--engine", "local", "--python", "/bin/true"), "/bin/true is no Python"),
        (("--engine", "local", "--python", "/no/such"), "/no/such is no Python"),
    ],
)
def test_what_cannot_be_is_refused(project, options, said):
    done = call_program("run", *options, project, env=NOWHERE, check=False)
    assert (done.code, said in done.stderr, "hint:" in done.stderr) == (2, True, True)


def test_a_plain_user_without_any_engine_has_it(project):
    somebody = Somebody(54324)
    try:
        somebody.environ |= NOWHERE
        done = somebody.program("run", "--engine", "local", "--json", somebody.copy(project))
        folder, record = read_run(done)
        assert record["exit_code"] == 0
        assert record["engine"]["isolation"].startswith("namespaces: user, mount")
        assert {path.lstat().st_uid for path in folder.rglob("*")} == {54324}
    finally:
        somebody.leave()
