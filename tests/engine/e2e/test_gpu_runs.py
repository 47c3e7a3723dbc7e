"""Runs on GPUs: refused in plain words where there are none, recorded where there are; the GPU is a stand-in."""

import json
import os
from pathlib import Path

import pytest
from engine_daemons import Daemon
from engine_packages import why_not
from gpu_stand_ins import BUSY_SMI, SMI, install, write_cdi
from program import call_program

pytestmark = pytest.mark.network

SCRIPT = """\
import os
print(sorted(name for name in os.listdir('/dev') if name.startswith('nvidia')), os.environ.get('GPU_0'))
open('/output/done.txt', 'w').close()
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """The environment of a machine with one GPU, whose engine hands it over by CDI."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("gpu")
    install(folder / "bin", "nvidia-smi", SMI)
    write_cdi(folder / "cdi", "0", "all")
    settings = {"features": {"cdi": True}, "cdi-spec-dirs": [str(folder / "cdi")]}
    daemon = Daemon("docker-26.1-graph", settings=settings)
    daemon.start()
    yield {**daemon.environ, "HOME": os.environ["HOME"], "PATH": f"{folder}/bin:{daemon.path}"}
    daemon.stop()


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    folder = make_project("gpu-runs", "packages: [six==1.17.0]", script=SCRIPT)
    fresh_lock(folder)
    return folder


def test_no_gpu_is_said_before_anything_is_built(make_project):
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has a GPU")
    folder = make_project("gpu-none")
    call_program("lock", folder)
    for command in ("run", "verify", "sweep"):
        done = call_program(command, folder, "--gpu", check=False)
        assert (done.code, "there is no NVIDIA GPU in this machine" in done.stderr) == (5, True)
        assert "run without --gpu" in done.stderr
    assert not (folder / ".reprobox" / "runs").exists()


def test_the_gpu_reaches_the_program_and_the_record(project, machine):
    done = call_program("run", "--json", project, "--gpu", "0", env=machine)
    folder = Path(done.json["run_dir"])
    assert (folder / "log.txt").read_text() == "['nvidia-0'] here\n"
    record = json.loads((folder / "run.json").read_text())
    (gpu,) = record["gpus"]
    assert (gpu["name"], gpu["driver"], gpu["compute_capability"]) == ("NVIDIA Stand-in", "580.95.05", "9.0")
    assert len(gpu["uuid_sha256"]) == 64
    assert "no Python process of this run used a GPU, though it had one" in record["warnings"]
    (process,) = [one for one in record["runtime"]["processes"] if one["role"] == "main"]
    assert process["gpu"] == {"libraries": [], "used": False, "versions": {}}


def test_what_the_driver_says_of_parts_and_clocks_is_in_the_record(project, machine, tmp_path):
    install(tmp_path, "nvidia-smi", BUSY_SMI)
    environ = {**machine, "PATH": f"{tmp_path}:{machine['PATH']}"}
    done = call_program("run", "--json", project, "--gpu", "0", env=environ)
    (gpu,) = json.loads((Path(done.json["run_dir"]) / "run.json").read_text())["gpus"]
    # What came between the readings, and not what the first one had.
    assert (gpu["mig"], gpu["slowed"]) == (True, ["power cap for 2.5 s", "heat for 0.2 s"])


def test_a_run_without_gpu_has_none(project, machine):
    folder = Path(call_program("run", "--json", project, "--gpu", "none", env=machine).json["run_dir"])
    assert (folder / "log.txt").read_text() == "[] None\n"
    record = json.loads((folder / "run.json").read_text())
    assert (record["gpus"], record["warnings"]) == ([], [])


def test_a_gpu_that_is_not_there_is_refused_by_its_number(project, machine):
    done = call_program("run", project, "--gpu", "0,3", env=machine, check=False)
    assert done.code == 5
    assert "there is no GPU 3 in this machine" in done.stderr
    assert "there are 0 (NVIDIA Stand-in)" in done.stderr


def test_doctor_sees_it(machine):
    found = {one["name"]: one for one in call_program("doctor", "--json", env=machine, check=False).json["findings"]}
    assert found["GPU"]["detail"] == "NVIDIA Stand-in (compute capability 9.0); driver 580.95.05"
    assert "GPU access" not in found
