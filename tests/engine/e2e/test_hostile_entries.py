"""Entries whose programs mean harm: contained, told plainly, and the judge's machine is as it was."""

import json
import os
import shutil
import stat
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from containers import open_client
from hostile_entries import (
    CLAIM,
    CLAIMED,
    LABELS,
    STOPPED,
    assert_odd_outputs_are_harmless,
    choose_contest,
    find_lower,
    find_settings,
    forget_images,
    hand_over,
    judge_bundle,
    look_around,
    make_project,
)
from program import call_program
from somebody import Somebody

from reprobox.layers.store import LayerStore

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that ran once, honestly: its folder, and its image, of which all others share the lower layers."""
    yield make_project(tmp_path_factory.mktemp("hostile") / "project", {})
    forget_images({})
    open_client({}).remove_image("reprobox/hostile:latest", force=True)


@pytest.fixture(scope="module")
def lower(project):
    """The layers below the runtime."""
    return find_lower(project, {})


@pytest.fixture
def judge(project, lower, tmp_path):
    """Hand over the program of a name with a claim that is made up, and judge it; nothing is left on the machine."""

    def call(name, *, claim=CLAIM, out=tmp_path / "out", spec="", contest="", **known):
        bundle = hand_over(project, lower, tmp_path / f"{name}.reprobox", name, claim, spec, **known)
        began = time.monotonic()
        judged = judge_bundle(bundle, project / (contest or choose_contest(name)), out, {})
        call.seconds = time.monotonic() - began
        assert {path.name for path in tmp_path.iterdir()} <= {bundle.name, "out"}
        return judged.done, judged.judgement, judged.run

    yield call
    forget_images({})
    subprocess.run(["rm", "-rf", tmp_path], check=True)


def test_an_honest_program_in_the_same_sandbox_is_identical(judge):
    done, judgement, _ = judge("honest")
    assert (done.code, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr


OFTEN = ("fork-bomb", "memory-bomb", "many-large-files", "a-million-files", "escapes", "link-for-an-output")


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in STOPPED]
)
def test_a_program_that_takes_too_much_is_stopped_and_told_why(judge, name):
    done, judgement, run = judge(name)
    assert (done.code, judgement["verdict"]) == (7, "NOT RUN"), done.stdout + done.stderr
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
    assert (done.code, judgement["verdict"]) == (7, "NOT RUN")
    assert "were left on the disk of /output" in done.stdout


def test_memory_that_looks_like_disk_counts_as_memory(judge):
    done, _, run = judge("shared-memory-bomb")
    assert done.code == 0, done.stdout + done.stderr
    log = (run / "log.txt").read_text()
    for folder in ("/dev/shm", "/tmp", "/var/tmp", "/home/reprobox"):
        assert f"{folder} No space left on device" in log


SERVICE = """
import socket
service = socket.create_server(("0.0.0.0", 8765))
while True:
    guest, _ = service.accept()
    guest.sendall(b"come in")
    guest.close()
"""
GUEST = """
import socket, sys, time
for _ in range(50):
    try:
        print(socket.create_connection((sys.argv[1], 8765), 5).recv(7).decode())
        break
    except OSError:
        time.sleep(0.1)
"""


def start_container(client, code, *arguments):
    """Start a program in the project's own image, on the engine's network, and return the container's id."""
    made = client.create_container(
        "reprobox/hostile:latest", entrypoint=["/opt/venv/bin/python", "-c", code], command=list(arguments)
    )
    client.start(made["Id"])
    return made["Id"]


@pytest.fixture
def neighbour(project):
    """The address of another container with a service that any container on the engine's network can use."""
    client = open_client({})
    service = start_container(client, SERVICE)
    guests = []
    try:
        address = client.inspect_container(service)["NetworkSettings"]["IPAddress"]
        if not address:
            pytest.skip("this engine has no network between its containers")
        guests.append(start_container(client, GUEST, address))
        client.wait(guests[0], timeout=60)
        assert client.logs(guests[0]) == b"come in\n"
        yield address
    finally:
        for one in (service, *guests):
            client.remove_container(one, force=True)


def test_whatever_an_intruder_tries_is_refused(judge, project, neighbour):
    done, judgement, run = judge("intruder", neighbour=neighbour)
    log = (run / "log.txt").read_text()
    assert "DONE" not in log, log
    assert "refused neighbour Network is unreachable" in log
    assert log.count("refused") > 30
    assert "state 0000000000000000 0000000000000000 1 2" in log
    assert (done.code, judgement["verdict"]) == (0, "IDENTICAL")
    (processes,) = (int(line.split()[1]) for line in log.splitlines() if line.startswith("processes"))
    assert processes <= 3
    assert (project / "table.csv").read_text() == "a,b\n1,2\n"
    assert (project / "folder" / "one").read_text() == "one\n"
    assert json.loads((run / "run.json").read_text())["network"] is False


def test_a_spy_finds_no_expected_output(judge):
    done, judgement, run = judge("spy", claim=CLAIMED)
    assert (done.code, judgement["verdict"]) == (1, "DIFFERENT"), done.stdout + done.stderr
    log = (run / "log.txt").read_text()
    assert "found []" in log
    assert "env []" in log


def test_who_prints_the_claimed_score_has_not_reached_it(judge):
    done, judgement, _ = judge("liar", claim='{"accuracy": 0.999}')
    assert (done.code, judgement["verdict"]) == (1, "DIFFERENT"), done.stdout + done.stderr
    (score,) = judgement["scores"]
    assert (score["claimed"], score["judged"]) == (0.999, 0.1)


@pytest.mark.parametrize("name", ["link-to-the-claim", pytest.param("links-in-a-circle", marks=pytest.mark.long)])
def test_a_link_in_the_place_of_a_folder_leads_nowhere(judge, name):
    """Of the claim's own predictions it would have their score, with every seed."""
    predictions = LABELS.replace("label", "prediction")
    claimed = {"results/predictions.csv": predictions}
    done, judgement, run = judge(name, claim='{"accuracy": 1.0}', beside=claimed, outputs="'**'", contest="labels.yaml")
    assert (done.code, judgement["verdict"]) == (1, "DIFFERENT"), done.stdout + done.stderr
    assert (run / "output" / "results").is_symlink()
    assert judgement["agreement"] is None
    (score,) = judgement["scores"]
    assert (score["claimed"], score["judged"], score["seeds"]) == (1.0, None, 0)


@pytest.mark.long
def test_a_pattern_that_is_slow_to_match_takes_no_time(judge):
    done, judgement, _ = judge("long-names", outputs=f"metrics.json, '{'*a' * 40}*b'")
    assert (done.code, judgement["verdict"]) == (7, "NOT RUN"), done.stdout + done.stderr
    assert "left out" in done.stdout
    assert judge.seconds < 40


@pytest.mark.long
def test_what_takes_too_long_to_compare_is_not_comparable(judge):
    claimed = {"values.csv": "value\n" + "0.5\n" * 5_000_000}
    done, judgement, _ = judge("slow-to-compare", beside=claimed, outputs="'*'", contest="impatient.yaml")
    assert (done.code, judgement["verdict"]) == (1, "NOT COMPARABLE"), done.stdout + done.stderr
    assert "processor time" in done.stdout
    assert judge.seconds < 40


def test_a_child_that_outlives_its_stage_writes_nothing_more(judge):
    done, judgement, run = judge("late")
    assert (done.code, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr
    time.sleep(4)
    assert [path.name for path in (run / "output").iterdir()] == ["metrics.json"]


def test_odd_outputs_are_named_and_touched_by_nobody(judge):
    done, judgement, run = judge("odd-outputs")
    assert (done.code, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr
    assert_odd_outputs_are_harmless(run, os.getuid())


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
    assert (done.code, judgement["verdict"]) == (1, "NOT COMPARABLE"), done.stdout + done.stderr
    assert [score["judged"] for score in judgement["scores"]] == [None]


def test_an_entry_that_asks_for_more_than_the_machine_has_gets_what_there_is(judge):
    done, judgement, _ = judge("greedy-for-processors", spec="resources: {cpus: 512, memory: 900g, shm: 900g}\n")
    assert (done.code, judgement["verdict"]) == (0, "IDENTICAL"), done.stdout + done.stderr


@pytest.mark.long
def test_a_base_with_something_more_in_it_is_found_by_making_the_image_anew(project, lower, tmp_path):
    """All that the bundle says of itself fits together: only who makes the base anew sees that it is another."""
    store = LayerStore(find_settings().cache)
    base, *others = lower
    changed = tmp_path / "base.tar"
    changed.write_bytes(b"".join(store.read_verified(base)))
    with tarfile.open(changed, "a") as tar:
        tar.addfile(tarfile.TarInfo("usr/lib/more.so"))
    other = store.make(f"test {tmp_path}", base.what, lambda out: out.write(changed.read_bytes()))
    bundle = hand_over(project, (other, *others), tmp_path / "honest.reprobox", "honest", thin=False)
    arguments = ("judge", "--contest", project / "contest.yaml", "-o", tmp_path / "out")
    taken = call_program(*arguments, bundle, check=False)
    assert taken.code == 0, taken.stdout + taken.stderr
    assert "base and packages are as the entrant packed them" in taken.stdout
    refused = call_program(*arguments, "--rebuild", bundle, check=False)
    assert refused.code == 8, refused.stdout + refused.stderr
    assert (
        f"made anew from its spec, lock and source, its image is another one: {base.what!r} differs" in refused.stderr
    )
    assert not (tmp_path / "out" / "honest" / "judgement.json").exists()
    store.evict(other)
    forget_images({})
    shutil.rmtree(tmp_path)


def test_what_the_sandbox_itself_lacks_is_no_fault_of_the_entry(project, lower, tmp_path):
    bundle = hand_over(project, lower, tmp_path / "honest.reprobox", "honest")
    contest = (project / "contest.yaml").read_text().replace("open_files: 256", "open_files: 1000000")
    (project / "wide.yaml").write_text(contest)
    before = look_around(tmp_path, {})
    arguments = ("judge", "--contest", project / "wide.yaml", "-o", tmp_path / "out")
    wide = call_program(*arguments, bundle, check=False)
    unknown = call_program("judge", "--contest", project / "contest.yaml", "-o", tmp_path / "out",
                           "--runtime", "no-such-runtime", bundle, check=False)  # fmt: skip
    if wide.code:  # else this engine may open as many
        assert wide.code == 5, wide.stdout + wide.stderr
        assert "the sandbox failed, which is no fault of the entry" in wide.stderr
        assert "limits.open_files" in wide.stderr
    assert unknown.code == 5, unknown.stdout + unknown.stderr
    assert "--runtime no-such-runtime" in unknown.stderr
    assert "the entry" not in unknown.stderr
    assert look_around(tmp_path, {}) == before
    assert not (tmp_path / "out" / "honest" / "judgement.json").exists()
    shutil.rmtree(tmp_path)
