"""Entries whose programs mean harm: contained, told plainly, and the judge's machine is as it was."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest
from hostile_programs import write_program
from program import PROGRAM, call_program
from somebody import Somebody

from reprobox.build import assemble_plan, build_plan, make_runtime_layer, make_source_layer
from reprobox.bundle.contents import Sources, choose_contents
from reprobox.bundle.packing import Compression
from reprobox.bundle.write import write_bundle
from reprobox.console import PlainReporter
from reprobox.engines.docker import connect
from reprobox.layers.store import LayerStore
from reprobox.project import open_project
from reprobox.record_text import read_record
from reprobox.records import OutputFile, format_record
from reprobox.settings import Settings
from reprobox.workflow import plan_project

pytestmark = pytest.mark.network

CLAIM = '{"accuracy": 0.5}'
CLAIMED = '{"accuracy": 0.999, "mark": "EXPECTED-CONTENT"}'
SPEC = """reprobox: 1
name: hostile
seed: 7
command: python train.py
outputs: [metrics.json]
inputs:
  table.csv: {table}
  folder: {folder}
"""
CONTEST = """contest: 1
name: Hostile
metric: {name: accuracy, better: higher}
runs: 1
seeds: 0
inputs: {table.csv: table.csv, folder: folder}
limits: {memory: 160m, shm: 16m, scratch: 16m, time: 2m, processes: 64, open_files: 256, output: 30m, output_files: 500}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that ran once, honestly: its folder, and its image, of which all others share the lower layers."""
    from reprobox.inputs import hash_file, hash_folder

    folder = tmp_path_factory.mktemp("hostile") / "project"
    folder.mkdir()
    (folder / "table.csv").write_text("a,b\n1,2\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "one").write_text("one\n")
    text = SPEC.format(table=hash_file(folder / "table.csv"), folder=hash_folder(folder / "folder"))
    (folder / "spec.yaml").write_text(text)
    (folder / "contest.yaml").write_text(CONTEST)
    (folder / "hasty.yaml").write_text(CONTEST.replace("2m", "5s"))
    (folder / "train.py").write_text(write_program("honest"))
    call_program("run", folder, timeout=900)
    yield folder
    forget_images()
    docker.APIClient().remove_image("reprobox/hostile:latest", force=True)


def forget_images():
    """Remove what was judged here, and nobody else's."""
    client = docker.APIClient()
    for image in client.images("reprobox-judge/*", filters={"label": "reprobox.name=hostile"}):
        for tag in image["RepoTags"] or ():
            client.remove_image(tag, force=True)


@pytest.fixture(scope="module")
def lower(project):
    """The layers below the runtime."""
    settings = find_settings()
    planned = plan_project(open_project(project), settings)
    return build_plan(planned.plan, project, connect(os.environ), settings).image.layers[:-2]


def find_settings():
    return Settings(
        cache=Path(os.environ["REPROBOX_CACHE"]).absolute(),
        home=Path.home(),
        environ=dict(os.environ),
        caller=(os.getuid(), os.getgid()),
        reporter=PlainReporter(sys.stderr),
        now=lambda: datetime.now(UTC),
    )


@pytest.fixture
def judge(project, lower, tmp_path):
    """Hand over the program of a name with a claim that is made up, and judge it; nothing is left on the machine."""

    def call(name, *, claim=CLAIM, out=tmp_path / "out", spec=""):
        bundle = hand_over(project, lower, tmp_path / f"{name}.reprobox", name, claim, spec)
        contest = "hasty.yaml" if "its time was up" in STOPPED.get(name, "") else "contest.yaml"
        before = look_around(tmp_path)
        began = time.monotonic()
        done = subprocess.run(
            [PROGRAM, "judge", "--contest", project / contest, "-o", out, bundle],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        call.seconds = time.monotonic() - began
        assert "bug in reprobox" not in done.stderr
        for line in (done.stdout + done.stderr).splitlines():
            assert line.isprintable(), repr(line)
        assert look_around(tmp_path) == before, done.stdout + done.stderr
        assert {path.name for path in tmp_path.iterdir()} <= {bundle.name, "out"}
        folder = out / name
        judgement = json.loads((folder / "judgement.json").read_text())
        assert judgement["verdict"] in done.stdout
        (run,) = (folder / "runs").iterdir()
        return done, judgement, run

    yield call
    forget_images()
    subprocess.run(["rm", "-rf", tmp_path], check=True)


def hand_over(project, lower, bundle, name, claim=CLAIM, spec="", *, thin=True):
    """Export the project with another program, and with the record of a run that never was."""
    settings = find_settings()
    store = LayerStore(settings.cache)
    run = bundle.parent / "run"
    (honest,) = (project / ".reprobox" / "runs").iterdir()
    (project / "train.py").write_text(write_program(name))
    before = (project / "spec.yaml").read_text()
    (project / "spec.yaml").write_text(before + spec)
    try:
        planned = plan_project(open_project(project), settings)
        plan = planned.plan
        layers = (*lower, make_runtime_layer(plan, store), make_source_layer(plan, project, store))
        image = assemble_plan(plan, layers)
        (run / "output").mkdir(parents=True)
        (run / "output" / "metrics.json").write_text(claim)
        record = replace(
            read_record(honest / "run.json"),
            image_digest=image.config_digest,
            outputs=(OutputFile("metrics.json", hashlib.sha256(claim.encode()).hexdigest(), len(claim)),),
        )
        (run / "run.json").write_text(format_record(record))
        contents = choose_contents(
            Sources(
                plan=plan,
                spec=planned.loaded.spec,
                image=image,
                project=project,
                spec_text=(project / "spec.yaml").read_bytes(),
                lock_text=(project / "spec.lock").read_bytes(),
                context={},
                claim=(run, record),
                evidence=(),
                report=None,
                with_inputs=False,
                thin=thin,
                allowed=frozenset(),
            )
        )
        write_bundle(contents, image, store.read_verified, bundle, Compression.ZSTD, None, lambda done, total: None)
    finally:
        (project / "spec.yaml").write_text(before)
        shutil.rmtree(run)
    return bundle


def look_around(folder):
    """Return what a stranger's program could have left: containers with this folder in them, names of images, files."""
    client = docker.APIClient()
    images = {tag: one["Id"] for one in client.images("reprobox/hostile") for tag in one["RepoTags"] or ()}
    containers = [
        one["Id"]
        for one in client.containers(all=True)
        if any(mount.get("Source", "").startswith(str(folder)) for mount in one["Mounts"])
    ]
    volumes = client.volumes(filters={"name": "hostile"})["Volumes"] or []
    return {"containers": containers, "images": images, "volumes": volumes, "users": Path("/etc/passwd").read_bytes()}


def test_an_honest_program_in_the_same_sandbox_is_identical(judge):
    done, judgement, _ = judge("honest")
    assert (done.returncode, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr


STOPPED = {
    "fork-bomb": "its time was up after",
    "memory-bomb": "it wanted more memory than the limit of 167.8 MB (limits.memory)",
    "one-large-file": "(limits.output)",
    "many-large-files": "it wrote more than 31457280 bytes to /output (limits.output",
    "sparse-files": "it wrote more than 31457280 bytes to /output (limits.output",
    "a-million-files": "it wrote more than 500 files to /output",
    "a-million-folders-in-one-another": "/output",
    "its-record": "bytes to its record folder",
    "stubborn": "its time was up after",
    "log-flood": "its time was up after",
    "killer": "left out metrics.json",
    "escapes": "exit code 3",
    "link-for-an-output": "left out metrics.json",
    "pipe-for-an-output": "left out metrics.json",
    "folder-for-an-output": "left out metrics.json",
}


OFTEN = ("fork-bomb", "memory-bomb", "many-large-files", "a-million-files", "escapes", "link-for-an-output")


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in STOPPED]
)
def test_a_program_that_takes_too_much_is_stopped_and_told_why(judge, name):
    done, judgement, run = judge(name)
    assert (done.returncode, judgement["verdict"]) == (7, "NOT RUN"), done.stdout + done.stderr
    assert STOPPED[name] in done.stdout
    assert judge.seconds < 40
    size = subprocess.run(["du", "-sb", run], check=True, capture_output=True, text=True).stdout.split()[0]
    assert int(size) < 600_000_000
    files = subprocess.run(["find", run], check=True, capture_output=True).stdout.count(b"\n")
    assert files < 2000


@pytest.mark.long
def test_files_that_have_no_name_any_more_end_the_run_before_the_disk_is_full(judge, tmp_path, tmp_path_factory):
    """They are in no folder, so that nobody who looks there can count them."""
    if os.getuid():
        pytest.skip("only root can make a disk as small as that")
    disk, image = tmp_path / "out", tmp_path_factory.mktemp("disk") / "image"
    disk.mkdir()
    with image.open("wb") as stream:
        stream.truncate(1_400 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        done, judgement, _ = judge("files-without-a-name", out=disk)
    finally:
        subprocess.run(["umount", disk], check=True)
        image.unlink()
    assert (done.returncode, judgement["verdict"]) == (7, "NOT RUN")
    assert "were left on the disk of /output" in done.stdout


def test_memory_that_looks_like_disk_counts_as_memory(judge):
    done, _, run = judge("shared-memory-bomb")
    assert done.returncode == 0, done.stdout + done.stderr
    log = (run / "log.txt").read_text()
    for folder in ("/dev/shm", "/tmp", "/var/tmp", "/home/reprobox"):
        assert f"{folder} No space left on device" in log


def test_whatever_an_intruder_tries_is_refused(judge, project):
    done, judgement, run = judge("intruder")
    log = (run / "log.txt").read_text()
    assert "DONE" not in log, log
    assert log.count("refused") > 30
    assert "state 0000000000000000 0000000000000000 1 2" in log
    assert (done.returncode, judgement["verdict"]) == (0, "IDENTICAL")
    (processes,) = (int(line.split()[1]) for line in log.splitlines() if line.startswith("processes"))
    assert processes <= 3
    assert (project / "table.csv").read_text() == "a,b\n1,2\n"
    assert (project / "folder" / "one").read_text() == "one\n"
    assert json.loads((run / "run.json").read_text())["network"] is False


def test_a_spy_finds_no_expected_output(judge):
    done, judgement, run = judge("spy", claim=CLAIMED)
    assert (done.returncode, judgement["verdict"]) == (1, "DIFFERENT"), done.stdout + done.stderr
    log = (run / "log.txt").read_text()
    assert "found []" in log
    assert "env []" in log


def test_who_prints_the_claimed_score_has_not_reached_it(judge):
    done, judgement, _ = judge("liar", claim='{"accuracy": 0.999}')
    assert (done.returncode, judgement["verdict"]) == (1, "DIFFERENT"), done.stdout + done.stderr
    (score,) = judgement["scores"]
    assert (score["claimed"], score["judged"]) == (0.999, 0.1)


def test_a_child_that_outlives_its_stage_writes_nothing_more(judge):
    done, judgement, run = judge("late")
    assert (done.returncode, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr
    time.sleep(4)
    assert [path.name for path in (run / "output").iterdir()] == ["metrics.json"]


def test_odd_outputs_are_named_and_touched_by_nobody(judge):
    done, judgement, run = judge("odd-outputs")
    assert (done.returncode, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr
    record = json.loads((run / "run.json").read_text())
    told = " ".join(record["warnings"])
    for name in ("passwd", "everything", "up", "pipe", "socket"):
        assert f"'{name}'" in told
    assert "root:x:" not in (run / "run.json").read_text()
    for path in (run / "output").iterdir():
        mode = path.lstat().st_mode
        assert not (stat.S_ISREG(mode) and mode & 0o6000), path
        assert path.lstat().st_uid == os.getuid()


@pytest.fixture(scope="module")
def somebody():
    """A judge who is in the engine's group and nothing else: programs run as the very user who judges them."""
    path = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    if not path.is_socket() or not path.stat().st_mode & stat.S_IWGRP or path.stat().st_gid == 0:
        pytest.skip("this engine is not reached by a socket of a group's")
    somebody = Somebody(54321, [path.stat().st_gid])
    yield somebody
    subprocess.run(["rm", "-rf", somebody.folder], check=True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("closed-folders", 7, "nobody can look into a folder that it made in /output"), ("owner-modes", 0, "IDENTICAL")],
)
def test_a_judge_who_is_not_root_is_as_safe(somebody, project, lower, tmp_path, name, code, words):
    bundle = hand_over(project, lower, tmp_path / f"{name}.reprobox", name, thin=False)
    theirs = somebody.copy(project, name)
    shutil.copy(bundle, theirs)
    done = somebody.judge(theirs / bundle.name, theirs / "contest.yaml", theirs / "out")
    assert (done.returncode, words in done.stdout) == (code, True), done.stdout + done.stderr
    (run,) = (theirs / "out" / name / "runs").iterdir()
    found = subprocess.run(["find", run, "-type", "f", "-perm", "/6000"], check=True, capture_output=True).stdout
    assert found == b""
    assert int(subprocess.run(["du", "-sm", run], check=True, capture_output=True).stdout.split()[0]) < 40


def test_numbers_that_are_none_are_no_scores(judge):
    done, judgement, _ = judge("odd-numbers", claim='{"accuracy": NaN}')
    assert (done.returncode, judgement["verdict"]) == (1, "NOT COMPARABLE"), done.stdout + done.stderr
    assert [score["judged"] for score in judgement["scores"]] == [None]


def test_an_entry_that_asks_for_more_than_the_machine_has_gets_what_there_is(judge):
    done, judgement, _ = judge("greedy-for-processors", spec="resources: {cpus: 512, memory: 900g, shm: 900g}\n")
    assert (done.returncode, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr


def test_what_the_sandbox_itself_lacks_is_no_fault_of_the_entry(project, lower, tmp_path):
    bundle = hand_over(project, lower, tmp_path / "honest.reprobox", "honest")
    contest = (project / "contest.yaml").read_text().replace("open_files: 256", "open_files: 1000000")
    (project / "wide.yaml").write_text(contest)
    before = look_around(tmp_path)
    arguments = ("judge", "--contest", project / "wide.yaml", "-o", tmp_path / "out")
    wide = call_program(*arguments, bundle, check=False)
    unknown = call_program("judge", "--contest", project / "contest.yaml", "-o", tmp_path / "out",
                           "--runtime", "no-such-runtime", bundle, check=False)  # fmt: skip
    for done in (wide, unknown):
        if done is wide and done.code == 0:
            continue  # this engine may open as many
        assert done.code == 5, done.stdout + done.stderr
        assert "the sandbox failed, which is no fault of the entry" in done.stderr
        assert done is unknown or "limits.open_files" in done.stderr
    assert look_around(tmp_path) == before
    assert not (tmp_path / "out" / "honest" / "judgement.json").exists()
    shutil.rmtree(tmp_path)
