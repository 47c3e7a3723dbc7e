"""Repeating runs with the real program and the real engine: agreeing, differing, failing, interrupted, side by side."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time

import docker
import pytest
from program import PROGRAM, call_program

pytestmark = pytest.mark.network

SCRIPTS = {
    "draw.py": """
import json, random
loss = random.random()
with open('/output/numbers.json', 'w') as stream:
    json.dump({'loss': loss, 'rows': 3}, stream)
print(f'loss={loss}')
""",
    "fail.py": "raise SystemExit(3)\n",
    "fill.py": "stream = open('/output/big', 'wb')\nfor _ in range(50):\n    stream.write(bytes(10**6))\n",
    "sleep.py": """
import signal, sys, time
def save(*_):
    with open('/output/checkpoint', 'w') as stream:
        stream.write('saved')
    sys.exit()
signal.signal(signal.SIGTERM, save)
open('/output/up', 'w').close()
time.sleep(120)
""",
    "step.py": """
import os, time
open('/output/up', 'w').close()
deadline = time.monotonic() + 60
while not os.path.exists('/output/go') and time.monotonic() < deadline:
    time.sleep(0.05)
""",
    "work.py": """
total = 0
for number in range(20_000_000):
    total = (total * 31 + number) % 1_000_003
with open('/output/total', 'w') as stream:
    stream.write(str(total))
""",
}


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    """A built project whose source holds every script."""
    folder = make_project("verify-runs")
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    fresh_lock(folder)
    yield folder
    docker.APIClient().remove_image("reprobox/verify-runs:latest", force=True)


@pytest.fixture
def spec_with(project):
    """Change the spec for one test."""
    spec = project / "spec.yaml"
    before = spec.read_text()
    yield lambda script, *lines: spec.write_text("\n".join((before.replace("script.py", script), *lines)) + "\n")
    spec.write_text(before)


def verify(project, *arguments, code=0):
    done = call_program("verify", *arguments, cwd=project, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.code == code, done.stdout + done.stderr
    assert count_containers() == 0
    return done


def count_containers():
    found = docker.APIClient().containers(all=True, filters={"label": "reprobox.run"})
    return sum(one["Image"].find("verify-runs") >= 0 for one in found)


def find_up(project):
    return set((project / ".reprobox" / "runs").glob("*/output/up"))


def newest_records(project, count):
    folders = sorted((project / ".reprobox" / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads((folder / "run.json").read_text()) for folder in folders[-count:]]


def test_seeded_runs_are_identical_and_it_is_proved(project, spec_with):
    spec_with("draw.py")
    done = verify(project, "--runs", "3")
    rows = [line for line in done.stdout.splitlines() if line.startswith("run ")]
    assert [row.split()[1] for row in rows] == ["1/3", "2/3", "3/3"]
    # The first number that Python draws with seed 32.
    assert all("loss=0.07742178385" in row and "numbers.json " in row for row in rows)
    assert "verdict  IDENTICAL — 3/3 identical: divergence rate ≤ 63 % at 95 %" in done.stdout


def test_without_determinism_they_differ_and_the_reason_is_named(project, spec_with):
    spec_with("draw.py", "determinism: off")
    done = verify(project, "--json", "--runs", "2", code=1)
    found = done.json
    assert (found["verdict"], found["agreeing"], found["level"]) == ("DIFFERENT", 1, "off")
    (file,) = found["comparisons"][0]["files"]
    assert (file["path"], file["format"], file["result"]) == ("numbers.json", "json", "different")
    assert [one["part"] for one in file["differences"]] == ["loss"]
    assert file["differences"][0]["numbers"]["differing"] == 1
    assert "unseeded-generator" in {suspect["kind"] for suspect in found["suspects"]}
    assert "suspect  unseeded-generator" in done.stderr
    path = project / ".reprobox" / "verify" / f"{found['id']}.json"
    assert json.loads(path.read_text()) == found


def test_a_claim_is_verified_against_its_run(project, spec_with):
    spec_with("draw.py")
    claim = call_program("run", "--json", cwd=project).json["run_dir"]
    assert "1/1 identical" in verify(project, "--runs", "1", "--against", claim).stdout
    spec_with("draw.py", "env: {OTHER: '1'}")
    assert "1/1 identical" in verify(project, "--runs", "1", "--against", claim).stdout
    spec_with("draw.py", "determinism: off")
    done = verify(project, "--runs", "1", "--against", claim, code=1)
    assert "verdict  NOT COMPARABLE — the results differ, and so does what they come from: image" in done.stdout


@pytest.mark.long
def test_what_determinism_costs_is_measured_and_the_other_image_goes(project, spec_with):
    spec_with("draw.py")
    found = verify(project, "--json", "--runs", "2", "--cost").json
    assert len(found["runs"]) == 2
    assert 0.2 < found["cost"]["ratio"] < 5
    assert found["cost"]["distinct_off"] == 2
    assert not docker.APIClient().images("reprobox/verify-runs-off")


def test_a_failing_program_ends_it_with_7(project, spec_with):
    spec_with("fail.py")
    done = verify(project, "--jobs", "2", code=7)
    assert "verdict  NOT RUN — run " in done.stdout
    assert "failed with exit code 3" in done.stdout
    assert {record["exit_code"] for record in newest_records(project, 1)} <= {3, 130}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_ends_it_in_one_message(make_project, project, spec_with, jobs):
    spec_with("fill.py")
    folder = make_project("verify-runs")
    for name in ("spec.yaml", "spec.lock", *SCRIPTS):
        (folder / name).write_bytes((project / name).read_bytes())
    disk = folder / ".reprobox"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", disk], check=True)
    try:
        done = call_program("verify", "--jobs", str(jobs), cwd=folder, check=False)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert not re.search("bug|Traceback", done.stdout + done.stderr)
    if jobs == 2 and done.code == 6:  # one run had filled the disk before the other began
        assert re.search(rf"^error: {folder}/\.reprobox/\S+: no space left on its disk$", done.stderr, re.MULTILINE)
        return
    assert done.code == 7, done.stdout + done.stderr
    assert "verdict  NOT RUN — run " in done.stdout


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_stops_every_container_and_is_recorded(project, spec_with, jobs):
    spec_with("sleep.py")
    argv = [PROGRAM, "verify", "--jobs", str(jobs)]
    before = find_up(project)
    with subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(new := find_up(project) - before) < jobs and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert time.monotonic() - began < 20  # and not the 120 seconds that they sleep
    assert err.rstrip().endswith("error: interrupted")
    assert "Traceback" not in out + err
    assert count_containers() == 0
    assert [path.with_name("checkpoint").read_text() for path in new] == ["saved"] * jobs
    assert {record["exit_code"] for record in newest_records(project, jobs)} == {130}
    kept = max((project / ".reprobox" / "verify").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert json.loads(kept.read_text())["reason"] == "interrupted after 0 of 5 runs"


def test_each_row_is_printed_as_its_run_ends(project, spec_with):
    spec_with("step.py")
    before = find_up(project)
    argv = [PROGRAM, "verify", "--runs", "2"]
    with subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE) as process:
        (first,) = wait_for_up(project, before)
        first.with_name("go").touch()
        (second,) = wait_for_up(project, before | {first})
        # The second run is under way, and waits for this test.
        assert select.select([process.stdout], [], [], 10)[0], "no row of the first run"
        assert os.read(process.stdout.fileno(), 4096).decode().startswith("run 1/2  ")
        assert process.poll() is None
        second.with_name("go").touch()
        rest, _ = process.communicate(timeout=60)
    assert rest.decode().startswith("run 2/2  ")
    assert "verdict  IDENTICAL — 2/2 identical" in rest.decode()
    assert process.returncode == 0


def wait_for_up(project, known):
    """Return the runs that have begun, beside those known, as soon as there is one."""
    deadline = time.monotonic() + 60
    while not (new := find_up(project) - known) and time.monotonic() < deadline:
        time.sleep(0.1)
    return new


@pytest.mark.long
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two runs at once need two processors")
def test_two_at_once_take_at_most_three_fifths_of_the_time(project, spec_with):
    # They compute, with one thread each: what both wait for, or a thread too many, would show.
    spec_with("work.py")
    call_program("build", cwd=project)
    ratios = []
    while len(ratios) < 4 and not any(ratio <= most for ratio, most in ratios):
        one, two = (measure(lambda jobs=jobs: verify(project, "--runs", "4", "--jobs", jobs)) for jobs in ("1", "2"))
        # Where others take the second processor, two programs gain no more by running at once.
        ratios.append((two / one, 0.6 * max(1, measure_programs(at_once=True) / measure_programs(at_once=False) / 0.5)))
    assert any(ratio <= most for ratio, most in ratios), ratios


def measure(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


def measure_programs(*, at_once):
    """Return how long two programs like those of the runs take by themselves."""
    argv = [sys.executable, "-c", SCRIPTS["work.py"].replace("/output/total", os.devnull)]

    def run_both():
        started = []
        for _ in range(2):
            started.append(subprocess.Popen(argv))
            if not at_once:
                started[-1].wait()
        assert [process.wait() for process in started] == [0, 0]

    return measure(run_both)
