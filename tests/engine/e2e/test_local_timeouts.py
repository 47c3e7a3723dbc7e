"""Without a container, a program that ends in good order when its time is over is no result, whoever waits for it."""

import json
from pathlib import Path

import pytest
from local_marks import LOCAL
from program import call_program

pytestmark = [*LOCAL]

SCRIPT = """\
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with open('/output/numbers.json', 'w') as stream:
    json.dump({'loss': 0.5}, stream)
time.sleep(60)
"""
LOCALLY = ("--engine", "local", "--json")
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
_FORBID = 'echo 0 > /proc/sys/user/max_pid_namespaces && exec "$@"'
ALONE = ("unshare", "--user", "--map-root-user", "sh", "-c", _FORBID, "sh")
"""Runs a program where nobody gets a namespace of processes: https://man7.org/linux/man-pages/man7/namespaces.7.html"""


@pytest.fixture(scope="module")
def project(make_project):
    folder = make_project("local-timeouts", "resources: {timeout: 2s}", "outputs: [numbers.json]", script=SCRIPT)
    call_program("lock", folder, env=NOWHERE)
    return folder


def test_it_is_no_result_where_nobody_supervises_it(project):
    done = call_program("run", *LOCALLY, project, wrapper=ALONE, env=NOWHERE, check=False)
    folder = Path(done.json["run_dir"])
    record = json.loads((folder / "run.json").read_text())
    assert "pid" not in record["engine"]["isolation"]
    assert (folder / "output" / "numbers.json").is_file()
    assert (done.code, record["exit_code"], record["stages"][0]["timed_out"]) == (7, 143, True)
    done = call_program("verify", *LOCALLY, project, wrapper=ALONE, env=NOWHERE, check=False)
    assert (done.code, done.json["verdict"], len(done.json["runs"])) == (7, "NOT RUN", 1)
    assert done.json["reason"].endswith("was stopped at its time, resources.timeout in the spec")
