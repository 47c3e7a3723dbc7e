"""An image of level portable, built for real: the same bytes on processors of other makes and ages."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from engine_packages import unpack_packages, why_not
from program import call_program

pytestmark = [pytest.mark.network, pytest.mark.long]

WORKLOAD = Path(__file__).parents[2] / "portable" / "workloads" / "arrays.py"
SCRIPT = f"""import contextlib
with open("/output/digests.json", "w") as output, contextlib.redirect_stdout(output):
    exec(compile({WORKLOAD.read_text()!r}, "arrays.py", "exec"))
"""
QEMU = "usr/bin/qemu-x86_64-static"


@pytest.fixture(scope="module")
def qemu():
    if reason := why_not():
        pytest.skip(f"qemu comes from Debian's archive, and here {reason}")
    return unpack_packages("bookworm", "qemu-user-static", only=QEMU) / QEMU


@pytest.fixture(scope="module")
def run_level(make_project, qemu, tmp_path_factory):
    """Build a project of a level and run it: on this machine's processor, and in the same image on models of others."""

    def run(name, determinism):
        lines = ("packages: [numpy==2.4.6]", f"determinism: {determinism}", "outputs: [digests.json]")
        folder = make_project(name, *lines, script=SCRIPT)
        done = call_program("run", "--json", folder, timeout=1200).json
        record = json.loads((Path(done["run_dir"]) / "run.json").read_text())
        digests = {"": json.loads((Path(done["run_dir"]) / "output" / "digests.json").read_text())}
        for model in ("Nehalem", "EPYC-Rome"):
            output = tmp_path_factory.mktemp(model)
            output.chmod(0o777)
            digests[model] = run_on(qemu, model, f"reprobox/{name}", output)
        return record, digests

    return run


def run_on(qemu, model, image, output):
    """Run the image's script as the entrypoint would, on a model of a processor."""
    mounts = ["-v", f"{qemu}:/qemu:ro", "-v", f"{output}:/output"]
    argv = ["docker", "run", "--rm", "--network", "none", *mounts, "--entrypoint", "/qemu", image]
    program = ["-cpu", model, "/opt/venv/bin/python", "script.py"]
    done = subprocess.run([*argv, *program], capture_output=True, text=True, timeout=300, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return json.loads((output / "digests.json").read_text())


def test_a_portable_image_computes_the_same_on_three_processors(run_level):
    record, digests = run_level("portable-image", "{level: portable, cpu: baseline}")
    assert record["environment"]["NPY_DISABLE_CPU_FEATURES"].split()[0] == "X86_V3"
    assert "FMA" in record["environment"]["GLIBC_TUNABLES"]
    assert digests["Nehalem"] == digests["EPYC-Rome"] == digests[""]


def test_a_bitwise_image_does_not(run_level):
    record, digests = run_level("bitwise-image", "bitwise")
    assert "NPY_DISABLE_CPU_FEATURES" not in record["environment"]
    assert digests["Nehalem"]["trained"] != digests["EPYC-Rome"]["trained"]
