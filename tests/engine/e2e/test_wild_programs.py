"""Programs that do their worst: each ends as a clean record, and the machine is as it was."""

import json
import re
import time

import docker
import pytest
from containers import list_containers
from program import call_program
from test_robustness_caches import small_disk

pytestmark = pytest.mark.network

SCRIPTS = {
    "fork_bomb.py": """
import os, time
children = 0
try:
    while True:
        if not os.fork():
            time.sleep(300)
            os._exit(0)
        children += 1
except OSError as error:
    print("stopped at", children, error.strerror, flush=True)
raise SystemExit(9)
""",
    "regicide.py": """
import os, signal, time
for victim in (os.getppid(), 1):
    try:
        os.kill(victim, signal.SIGKILL)
    except OSError as error:
        print("kept:", error.strerror)
time.sleep(1)
print("still here", flush=True)
open("/output/crown", "w").close()
""",
    "daemon.py": """
import os, signal, time
if not os.fork():
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.fork():
        for fd in (0, 1, 2):
            os.close(fd)
        time.sleep(300)
    os._exit(0)
print("left a daemon", flush=True)
open("/output/left", "w").close()
""",
    "silent.py": """
import os, signal, time
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
for fd in (0, 1, 2):
    os.close(fd)
time.sleep(300)
""",
    "filler.py": """
import sys
with open("/output/filler", "wb", buffering=0) as out:
    try:
        while True:
            out.write(bytes(1 << 20))
    except OSError as error:
        print("full:", error.strerror, flush=True)
for number in range(20_000):
    sys.stdout.write("x" * 99 + "\\n")
sys.exit(4)
""",
    "chatter.py": """
import sys
lines = (b"x" * 99 + b"\\n") * 10_000
for _ in range(2_100):
    sys.stdout.buffer.write(lines)
with open("/output/said", "w") as stream:
    stream.write("all of it")
""",
    "deaf.py": """
import os, signal
for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    os.kill(os.getpid(), number)
open("/output/deaf", "w").close()
""",
}


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    """A built project whose source holds every wild script."""
    folder = make_project("wild", "packages: [six==1.17.0]", "resources: {timeout: 20s}", script="print('tame')\n")
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    fresh_lock(folder)
    yield folder
    docker.APIClient().remove_image("reprobox/wild:latest", force=True)


def find_newest(folder):
    return max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def run(project, name, timeout=120):
    """Run one script; whatever it does, one line tells how it ended, and nothing of it is left."""
    done = call_program("run", "--", "python", name, check=False, cwd=project, timeout=timeout)
    assert "Traceback" not in done.stderr
    folder = find_newest(project / ".reprobox" / "runs")
    assert not list_containers(folder)
    assert not (folder / ".reserved").exists()
    return done, folder, json.loads((folder / "run.json").read_text())


def test_forking_wildly_ends_at_a_limit(project):
    spec = project / "spec.yaml"
    before = spec.read_text()
    spec.write_text(before.replace("timeout: 20s", "timeout: 200s"))  # it is to be stopped by the number of processes
    try:
        done, _, record = run(project, "fork_bomb.py", timeout=300)
    finally:
        spec.write_text(before)
    assert (done.code, record["exit_code"]) == (7, 9), done.stderr
    assert "stopped at" in done.stdout
    assert int(done.stdout.split()[2]) < 5000


def test_killing_those_above_it_has_no_effect(project):
    done, _, record = run(project, "regicide.py")
    # Its parent is process 1, for which the kernel drops even SIGKILL where it comes from inside (pid_namespaces(7)).
    assert (done.code, record["exit_code"]) == (0, 0), done.stderr
    assert "still here" in done.stdout
    assert record["stages"][0]["timed_out"] is False


def test_killing_a_parent_that_is_not_process_1_ends_the_run_as_that(project):
    done = call_program("run", "--", "sh", "-c", "python regicide.py; exit 5", check=False, cwd=project, timeout=120)
    folder = find_newest(project / ".reprobox" / "runs")
    record = json.loads((folder / "run.json").read_text())
    assert (done.code, record["exit_code"]) == (7, 137), done.stderr
    assert record["stages"][0]["timed_out"] is False
    assert not list_containers(folder)


def test_a_daemon_that_ignores_every_signal_does_not_outlive_the_run(project):
    began = time.monotonic()
    done, _, record = run(project, "daemon.py")
    assert (done.code, record["exit_code"]) == (0, 0), done.stderr
    assert time.monotonic() - began < 60  # and not the 300 seconds that it sleeps
    assert "left a daemon" in done.stdout


def test_a_program_that_hangs_silently_is_stopped_at_its_time(project):
    spec = project / "spec.yaml"
    before = spec.read_text()
    spec.write_text(before.replace("timeout: 20s", "timeout: 5s"))
    try:
        done, _, record = run(project, "silent.py")
    finally:
        spec.write_text(before)
    assert (done.code, record["stages"][0]["timed_out"]) == (7, True)
    assert "resources.timeout" in done.stderr


def test_a_program_that_fills_the_disk_leaves_a_whole_record(project, tmp_path):
    runs = project / ".reprobox" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with small_disk(runs, "24m"):
        done, folder, record = run(project, "filler.py")
        assert (done.code, record["exit_code"]) == (7, 4), done.stderr
        assert "full: No space left on device" in done.stdout
        assert done.stdout.count("x" * 99) == 20_000
        assert record["warnings"][0].startswith("log.txt is not whole: No space left")
        assert [output["path"] for output in record["outputs"]] == ["filler"]
        assert {path.name for path in folder.iterdir()} == {"run.json", "log.txt", "output", "record"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("silent.py", "stopped at its time, resources.timeout"),
        ("fork_bomb.py", "exit code 9|stopped at its time"),  # whichever comes first
        ("filler.py", "exit code 4"),
    ],
)
def test_repeating_them_is_not_run_and_recorded(project, name, reason):
    spec, runs = project / "spec.yaml", project / ".reprobox" / "runs"
    before = spec.read_text()
    runs.mkdir(parents=True, exist_ok=True)
    spec.write_text(before.replace("python script.py", f"python {name}").replace("timeout: 20s", "timeout: 8s"))
    try:
        with small_disk(runs, "24m"):
            done = call_program("verify", "--json", "--runs=3", check=False, cwd=project, timeout=120)
            folder = runs / done.json["runs"][0]["run"]
            record = json.loads((folder / "run.json").read_text())
    finally:
        spec.write_text(before)
    assert done.code == 7, done.stderr
    assert "Traceback" not in done.stderr
    found = done.json
    assert (found["verdict"], len(found["runs"]), found["comparisons"]) == ("NOT RUN", 1, [])
    assert re.search(reason, found["reason"]), found["reason"]
    assert json.loads(find_newest(project / ".reprobox" / "verify").read_text()) == found
    assert (record["id"], record["exit_code"]) == (found["runs"][0]["run"], found["runs"][0]["exit_code"])
    assert record["stages"][0]["timed_out"] is ("stopped at its time" in found["reason"])
    assert not list_containers(folder)


@pytest.mark.parametrize(
    ("command", "verdict", "reason"),
    [
        pytest.param("python chatter.py", "IDENTICAL", "2/2 identical", marks=pytest.mark.long),  # over 2 GB
        ("python deaf.py", "IDENTICAL", "2/2 identical"),
        ("python regicide.py", "IDENTICAL", "2/2 identical"),
        pytest.param("python daemon.py", "IDENTICAL", "2/2 identical", marks=pytest.mark.long),
        ("sh -c 'python regicide.py; exit 5'", "NOT RUN", "failed with exit code 137"),
    ],
)
def test_repeating_what_can_be_repeated_has_the_verdict_of_what_it_leaves(project, command, verdict, reason):
    spec = project / "spec.yaml"
    before = spec.read_text()
    spec.write_text(before.replace("python script.py", command).replace("timeout: 20s", "timeout: 5m"))
    try:
        done = call_program("verify", "--json", "--runs=2", check=False, cwd=project, timeout=600)
    finally:
        spec.write_text(before)
    assert "Traceback" not in done.stderr
    assert (done.code, done.json["verdict"]) == (0 if verdict == "IDENTICAL" else 7, verdict), done.stderr
    assert reason in done.json["reason"]
    for one in done.json["runs"]:
        folder = project / ".reprobox" / "runs" / one["run"]
        assert not list_containers(folder)
        assert (folder / "log.txt").stat().st_size < 70 * 2**20
