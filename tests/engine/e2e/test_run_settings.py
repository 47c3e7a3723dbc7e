"""What a spec says of network and resources is what its program meets, and the record says which machine it was on."""

import json
import os
import platform
import time
from pathlib import Path

import pytest
from program import call_program

SCRIPT = """
import json, os, pathlib

def read(*paths):
    return next((pathlib.Path(path).read_text().split() for path in paths if os.path.exists(path)), [])

shm = os.statvfs('/dev/shm')
found = {
    'interfaces': sorted(os.listdir('/sys/class/net')),
    'cpus': read('/sys/fs/cgroup/cpu.max')
    or read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us') + read('/sys/fs/cgroup/cpu/cpu.cfs_period_us'),
    'memory': read('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'),
    'shm': shm.f_blocks * shm.f_frsize,
}
pathlib.Path('/output/found.json').write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def run(make_project, fresh_lock):
    folder = make_project("run-settings", script=SCRIPT)
    spec = folder / "spec.yaml"
    before = spec.read_text()

    def call(*lines):
        spec.write_text("\n".join((before, *lines, "")))
        call.built = fresh_lock(folder)
        done = Path(call_program("run", "--json", cwd=folder).json["run_dir"])
        found = json.loads((done / "output" / "found.json").read_text())
        return found, json.loads((done / "run.json").read_text())

    return call


def test_unasked_there_is_no_network(run):
    found, record = run()
    assert found["interfaces"] == ["lo"]
    assert record["network"] is False


def test_with_the_network_the_spec_asks_for_the_record_says_so(run):
    found, record = run("network: full")
    assert len(found["interfaces"]) > 1
    assert record["network"] is True


def test_cpus_memory_and_shm_are_the_specs(run, engine):
    if not engine.info().holds_limits:
        pytest.skip("this machine's engine holds no container to limits")
    found, _ = run("resources: {cpus: 0.5, memory: 256m, shm: 96m}")
    quota, period = map(int, found["cpus"])
    assert quota / period == 0.5
    assert found["memory"] == [str(256 << 20)]
    assert found["shm"] == 96 << 20


def test_the_record_has_the_machine(run):
    _, record = run()
    host = record["host"]
    information = Path("/proc/cpuinfo").read_text()
    assert host["kernel"] == f"Linux {os.uname().release}"
    assert host["architecture"] == platform.machine()
    assert f": {host['cpu_model']}\n" in information
    flags = next(line for line in information.splitlines() if line.startswith(("flags", "Features")))
    assert host["cpu_flags"] == sorted(flags.partition(":")[2].split())
    assert host["cpus"] == len(os.sched_getaffinity(0))
    total = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    assert host["memory"] == total << 10


def test_a_builds_answer_has_the_size_of_every_layer_and_how_long_it_took(run):
    began = time.monotonic()
    run()
    took = time.monotonic() - began
    built = run.built
    assert 0 < built["seconds"] < took
    for layer in built["layers"]:
        (blob,) = Path(os.environ["REPROBOX_CACHE"]).rglob(f"{layer['digest'].removeprefix('sha256:')}.tar")
        assert layer["size"] == blob.stat().st_size
