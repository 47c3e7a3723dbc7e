"""Runs differ, and verify names the lines that may be why: with the real program and the real engine."""

import shutil
from pathlib import Path

import docker
import pytest
from program import call_program

from reprobox.suspects import load_causes
from tests.planted_leaks import plant_leaks

pytestmark = pytest.mark.network

LEAKS = Path(__file__).parents[3] / "examples" / "leaks"
SCRIPT = """\
import json, os, random, secrets
from pathlib import Path

names = sorted(os.listdir("parts"))
first = [path.name for path in Path("parts").iterdir()][0]
words = ",".join(set(names))
random.seed(7)
Path("/output/token.json").write_text(json.dumps({"token": secrets.token_hex(4), "random": random.random()}))
"""

MORE = """\
import os, random, subprocess, sys
random.seed(int.from_bytes(os.urandom(3), "big"))
subprocess.check_call([sys.executable, "-I", "-c", "pass"])
print(random.random(), file=open("/output/number", "w"))
"""


@pytest.fixture
def project(make_project, fresh_lock):
    folder = make_project("suspects-token", script=SCRIPT)
    (folder / "parts").mkdir()
    for name in ("a", "b"):
        (folder / "parts" / name).write_text(name)
    fresh_lock(folder)
    yield folder
    docker.APIClient().remove_image("reprobox/suspects-token:latest", force=True)


def verify(folder, *arguments):
    done = call_program("verify", "--runs", "2", *arguments, folder, check=False)
    assert done.code == 1, done.stdout + done.stderr
    return done


def test_the_one_leak_comes_first_with_its_line_and_what_to_do(project):
    suspects = verify(project, "--json").json["suspects"]
    assert [(one["kind"], one["where"], one["count"]) for one in suspects] == [
        ("os-entropy", "script.py:8", 2),
        ("listing-order", "script.py:5", 2),
    ]
    text = verify(project).stdout
    assert "os-entropy script.py:8" in text
    assert suspects[0]["advice"] in text


@pytest.mark.long
def test_each_classic_leak_is_named_at_level_off(tmp_path, fresh_lock):
    folder = tmp_path / "leaks"
    shutil.copytree(LEAKS, folder, ignore=shutil.ignore_patterns(".reprobox"))
    spec = folder / "spec.yaml"
    text = spec.read_text().replace("determinism: bitwise", "determinism: off")
    spec.write_text(text.replace("name: leaks", "name: suspects-off"))
    fresh_lock(folder)
    try:
        suspects = verify(folder, "--json").json["suspects"]
    finally:
        docker.APIClient().remove_image("reprobox/suspects-off:latest", force=True)
    lines = (folder / "train.py").read_text().splitlines()
    found = {(one["kind"], lines[int(one["where"].partition(":")[2]) - 1].strip()) for one in suspects if one["where"]}
    assert (suspects[0]["kind"], suspects[0]["where"]) == ("unseeded-generator", "")
    # On a machine with one processor the program starts one thread.
    assert found - {("completion-order", "thread.start()")} == {
        ("unseeded-generator", "import random"),
        ("unseeded-generator", "shuffler = np.random.default_rng()  # Leak 5: np.random.seed has no say over it"),
        ("hash-order", "words = list(GOOD | BAD)"),
        (
            "listing-order",
            "return np.concatenate([np.loadtxt(folder / name, dtype=np.float32) for name in os.listdir(folder)])",
        ),
        ("completion-order", "worker.start()"),
    }


def test_a_leak_of_every_kind_is_named_at_bitwise(make_project, fresh_lock):
    """The runtime's own tests have the same program; here it is in an image, and what takes several runs is added."""
    planted, expected = plant_leaks("script.py")
    start = planted.count("\n")
    # One number for all runs is no reason; whatever was given a stream is one only where threads make it.
    constant = next(place for kind, place in expected if kind == "reseeded")
    expected = [(kind, place) for kind, place in expected if place != constant]
    expected += [("os-entropy", f"script.py:{start + 2}"), ("reseeded", f"script.py:{start + 2}"), ("hash-order", "")]
    folder = make_project("suspects-planted", script=planted + MORE)
    fresh_lock(folder)
    try:
        before = call_program("run", "--json", folder).json
        (folder / "script.py").write_text(planted + MORE + "# another image\n")
        suspects = verify(folder, "--json", "--against", before["run_dir"]).json["suspects"]
    finally:
        docker.APIClient().remove_image("reprobox/suspects-planted:latest", force=True)
    found = [(one["kind"], one["where"]) for one in suspects]
    assert found[:2] == [("environment", ""), ("reseeded", f"script.py:{start + 2}")]
    assert sorted(found[1:]) == sorted(expected)
    kinds = {cause.kind for cause in load_causes().values()}
    assert {kind for kind, _ in found} == kinds
