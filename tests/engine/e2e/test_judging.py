"""The whole way: a contestant verifies and exports, a judge on another machine finds out whether it is true."""

import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import docker
import liar
import pytest
from containers import list_containers
from program import PROGRAM, call_program

from reprobox.inputs import hash_input

pytestmark = pytest.mark.network

OTHER = "docker-26.1-containerd"
"""The judge's engine has least in common with the contestant's."""
PREPARE = """
import numpy as np
rng = np.random.default_rng(5)
x = rng.normal(size=(400, 6))
y = (x @ rng.normal(size=6) + rng.normal(size=400) > 0).astype(float)
np.savez('/output/data.npz', x=x, y=y)
"""
TRAIN = """
import json
import numpy as np
data = np.load('/output/data.npz')
x, y = data['x'][:300], data['y'][:300]
w = np.random.normal(size=6)
for _ in range(25):
    rows = np.random.permutation(300)[:40]
    w += 0.5 * x[rows].T @ (y[rows] - 1 / (1 + np.exp(-x[rows] @ w))) / 40
np.save('/output/model.npy', w)
held = (data['x'][300:] @ w > 0) == data['y'][300:]
json.dump({'accuracy': float(held.mean())}, open('/output/metrics.json', 'w'))
"""
PREDICT = """
import numpy as np
x = np.load('/output/data.npz')['x'][300:]
w = np.load('/output/model.npy')
with open('/output/predictions.csv', 'w') as stream:
    stream.write('id,label\\n')
    stream.writelines(f'{row},{int(value > 0)}\\n' for row, value in enumerate(x @ w))
"""
SPEC = """reprobox: 1
name: {name}
seed: {seed}
packages: [numpy==2.4.6]
stages:
  prepare: {{command: python prepare.py, outputs: [data.npz]}}
  train: {{command: python train.py, outputs: [model.npy, metrics.json]}}
  predict: {{command: python predict.py, outputs: [predictions.csv]}}
"""
CONTEST = """contest: 1
name: Rehearsal
metric: {name: accuracy, better: higher}
predictions: predictions.csv
seeds: 6
leaderboard: {second: 0.5, third: 0.45}
limits: {memory: 2g, time: 5m}
"""


def make_entry(folder, name, *, seed=32, train=TRAIN):
    folder.mkdir()
    (folder / "spec.yaml").write_text(SPEC.format(name=name, seed=seed))
    for stage, text in (("prepare", PREPARE), ("train", train), ("predict", PREDICT)):
        (folder / f"{stage}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    """An honest entry: its folder, and the bundle that its maker hands over."""
    root = tmp_path_factory.mktemp("contestant")
    folder = make_entry(root / "forest", "rehearsal")
    verified = call_program("verify", "--json", "--runs", "2", folder, timeout=900).json
    assert verified["verdict"] == "IDENTICAL"
    call_program("report", "--format", "json,md,html", folder)
    bundle = root / "rehearsal.reprobox"
    exported = call_program("export", "--json", "-o", bundle, folder).json
    assert exported["claim"] in {row["run"] for row in verified["runs"]}
    return folder, bundle


@pytest.fixture
def judge(tmp_path, daemons):
    """Judge as somebody with an empty home, an empty cache, no network and an engine that never saw the entry."""
    contest = tmp_path / "contest.yaml"
    contest.write_text(CONTEST)
    daemon, _ = daemons(OTHER)
    for name in ("home", "cache"):
        (tmp_path / name).mkdir()
    places = {"HOME": str(tmp_path / "home"), "REPROBOX_CACHE": str(tmp_path / "cache"), "DOCKER_HOST": daemon.host}

    def run(*arguments, code=0):
        argv = ["unshare", "--net", str(PROGRAM), "judge", "--contest", contest, "-o", tmp_path / "out", *arguments]
        done = subprocess.run(
            list(map(str, argv)), env={**os.environ, **places}, capture_output=True, text=True, timeout=600, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode in (code if isinstance(code, tuple) else (code,)), done.stdout + done.stderr
        return done

    return run


def read_judgement(done):
    found = json.loads(done.stdout)
    assert found["schema_version"] == 1
    return found, {rung["number"]: rung["outcome"] for rung in found["rungs"]}


def test_an_honest_entry_is_identical_on_another_machine_without_network(entry, judge, tmp_path):
    _, bundle = entry
    found, rungs = read_judgement(judge("--json", bundle))
    assert found["verdict"] == "IDENTICAL"
    assert rungs == {0: "passed", 1: "passed", 2: "passed", 3: "passed"}
    assert found["sandbox"]["read_only"] is True
    (score,) = found["scores"]
    assert score["claimed"] == score["judged"]
    assert (score["rank_claimed"], score["rank_judged"]) == (1, 1)
    statement = json.loads((tmp_path / "out" / "rehearsal" / "attestation.json").read_text())
    assert statement["predicate"]["result"] == "PASSED"
    subjects = {one["name"] for one in statement["subject"]}
    assert subjects == {"rehearsal", "data.npz", "model.npy", "metrics.json", "predictions.csv"}
    kept = tmp_path / "out" / "rehearsal"
    assert any("keeps the rules of `reprobox report --check`" in note for note in found["notes"])
    assert not any("is not of the claimed run" in note for note in found["notes"])
    assert [path.name for path in (kept / "bundle" / "reprobox" / "report").iterdir()] == ["report.json"]
    assert {path.name for path in kept.glob("entrant-report.*")} == {"entrant-report.en.html", "entrant-report.ja.html"}
    assert liar.read_members(bundle)["reprobox/report/report.ja.html"].startswith(b"<!DOCTYPE html>")


def test_exporting_twice_gives_the_same_bytes_and_an_interrupted_export_goes_on(entry, tmp_path):
    folder, bundle = entry
    again = tmp_path / "rehearsal.reprobox"
    rest = tmp_path / ".rehearsal.reprobox.part.reprobox-tmp"
    rest.write_bytes(bundle.read_bytes()[:1_000_000] + b"what a crash left")
    call_program("export", "-o", again, folder)
    assert again.read_bytes() == bundle.read_bytes()
    assert not rest.exists()


@pytest.mark.long
def test_plain_engines_load_the_bundle_as_the_same_image(entry, tmp_path, daemons):
    folder, bundle = entry
    digest = call_program("build", "--json", folder).json["image_digest"]
    _, engine = daemons(OTHER)
    engine.load_archive([bundle.read_bytes()])
    assert engine.find_image("reprobox/rehearsal:latest") is not None
    # Docker 20.10 unpacks no zstd.
    packed = tmp_path / "rehearsal.gz.reprobox"
    call_program("export", "--compression", "gzip", "-o", packed, folder)
    _, old = daemons("docker-20.10")
    old.load_archive([packed.read_bytes()])
    assert old.find_image("reprobox/rehearsal:latest").engine_id == digest
    inspected = call_program("inspect", "--json", "--check", packed).json
    assert inspected["manifest"]["image_digest"] == digest
    assert inspected["digest"] == call_program("inspect", "--json", bundle).json["digest"]


@pytest.mark.long
def test_docker_podman_and_skopeo_open_the_file_itself(entry, daemons, podman, skopeo):
    folder, bundle = entry
    digest = call_program("build", "--json", folder).json["image_digest"]
    layers = [one["diff_id"] for one in call_program("inspect", "--json", bundle).json["manifest"]["layers"]]
    daemon, engine = daemons(OTHER)
    argv = ["docker", "--host", daemon.host, "load", "-i", str(bundle)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300).stdout
    assert "Loaded image: reprobox/rehearsal:latest" in said
    assert list(engine.find_image("reprobox/rehearsal:latest").diff_ids) == layers
    assert "reprobox/rehearsal:latest" in podman("load", "-i", str(bundle))
    assert f"sha256:{json.loads(podman('image', 'inspect', 'reprobox/rehearsal:latest'))[0]['Id']}" == digest
    for kind in ("docker-archive", "oci-archive"):
        assert json.loads(skopeo("inspect", f"{kind}:{bundle}"))["Layers"] == layers


def test_swapped_predictions_are_not_the_shipped_models(entry, judge, tmp_path):
    _, bundle = entry
    claimed = liar.read_members(bundle)[liar.OUTPUT + "predictions.csv"]
    swapped = claimed.replace(b"\n7,0\n", b"\n7,x\n").replace(b"\n7,1\n", b"\n7,0\n").replace(b"\n7,x\n", b"\n7,1\n")
    forged = liar.claim_other_outputs(bundle, {"predictions.csv": swapped}, tmp_path / "swapped.reprobox")
    found, rungs = read_judgement(judge("--json", forged, code=1))
    assert found["verdict"] == "DIFFERENT"
    assert rungs == {0: "passed", 1: "failed"}
    assert "shipped model does not give the submitted predictions" in found["reason"]
    assert any("1 of 100 cells differ" in line for line in found["differences"])
    assert found["agreement"]["with_claim"] == 100 / 101
    assert 0 < found["agreement"]["between_seeds"] < 1
    (score,) = found["scores"]
    assert (score["judged"], score["seeds"]) == (None, 6)
    assert score["band"][0] <= score["claimed"] <= score["band"][1]


def test_a_changed_weight_is_told_and_a_score_that_no_seed_reaches_is_not_believed(entry, judge, tmp_path):
    _, bundle = entry
    members = liar.read_members(bundle)
    model = bytearray(members[liar.OUTPUT + "model.npy"])
    model[-8] ^= 0x01  # the last bit of the last weight: it predicts the same
    forged = liar.claim_other_outputs(
        bundle, {"model.npy": bytes(model), "metrics.json": b'{"accuracy": 1.0}'}, tmp_path / "weight.reprobox"
    )
    found, rungs = read_judgement(judge("--json", forged, code=1))
    assert found["verdict"] == "DIFFERENT"
    assert rungs == {0: "passed", 1: "passed", 2: "passed", 3: "failed", 4: "failed"}
    assert any(line.startswith("model.npy: different") for line in found["differences"])
    assert "the claimed accuracy 1 is outside the band of 6 fresh seeds" in found["reason"]
    assert found["agreement"]["with_claim"] == 1


@pytest.mark.long
def test_another_seeds_result_is_consistent_and_no_nearer_than_a_seed(entry, judge, tmp_path):
    folder, bundle = entry
    other = make_entry(tmp_path / "other", "rehearsal", seed=33)
    (other / "spec.lock").write_bytes((folder / "spec.lock").read_bytes())
    call_program("lock", other)
    ran = call_program("run", "--json", other).json
    names = ("model.npy", "metrics.json", "predictions.csv")
    outputs = {name: Path(ran["run_dir"], "output", name).read_bytes() for name in names}
    forged = liar.claim_other_outputs(bundle, outputs, tmp_path / "seed.reprobox")
    found, rungs = read_judgement(judge("--json", forged))
    assert found["verdict"] == "CONSISTENT"
    assert rungs == {0: "passed", 1: "passed", 2: "passed", 3: "failed", 4: "passed"}
    agreement = found["agreement"]
    assert agreement["path"] == "predictions.csv"
    assert 0 < agreement["with_claim"] < 1
    assert 0 < agreement["between_seeds"] < 1
    (score,) = found["scores"]
    assert score["seeds"] == 6
    assert score["band"][0] <= score["claimed"] <= score["band"][1]


def test_a_program_that_is_not_deterministic_is_told_from_a_false_claim(judge, tmp_path):
    loose = TRAIN.replace("import json\n", "import json, os\n").replace(
        "w = np.random.normal(size=6)\n", "w = np.frombuffer(os.urandom(6), np.uint8) / 128 - 1.0\n"
    )
    folder = make_entry(tmp_path / "loose", "loose", train=loose)
    call_program("run", folder, timeout=900)
    bundle = tmp_path / "loose.reprobox"
    call_program("export", "-o", bundle, folder)
    # Chance decides whether the claim lies in the band.
    found, rungs = read_judgement(judge("--json", bundle, code=(0, 1)))
    assert rungs[2] == "failed"
    assert found["verdict"] in ("CONSISTENT", "DIFFERENT")
    assert "1 of 2 runs differ from the first" in next(rung["answer"] for rung in found["rungs"] if rung["number"] == 2)


def test_a_tampered_layer_is_refused_by_name(entry, judge, tmp_path):
    _, bundle = entry
    members = liar.read_members(bundle)
    manifest = json.loads(members[liar.MANIFEST])
    layer = next(one for one in manifest["layers"] if one["what"] == "source")
    name = "blobs/" + layer["diff_id"].replace(":", "/")
    members[name] = members[name].replace(b"range(25)", b"range(26)")
    done = judge(liar.write_members(members, tmp_path / "tampered.reprobox"), code=8)
    assert f"{name} is not what the manifest says" in done.stderr
    assert not (tmp_path / "out" / "tampered" / "judgement.json").exists()


@pytest.mark.long
def test_a_thin_bundle_is_made_whole_from_what_the_judge_has(entry, tmp_path):
    folder, _ = entry
    thin = tmp_path / "thin.reprobox"
    call_program("export", "--thin", "-o", thin, folder)
    assert thin.stat().st_size < 200_000
    done = call_program("judge", "--json", "-o", tmp_path / "out", thin)
    assert done.json["verdict"] == "IDENTICAL"
    empty = {"REPROBOX_CACHE": str(tmp_path / "nothing")}
    done = call_program("judge", "-o", tmp_path / "out2", thin, env=empty, check=False)
    assert done.code == 8
    assert "layers that it leaves out are not on this machine: Debian bookworm" in done.stderr
    done = call_program("judge", "--json", "--rebuild", "-o", tmp_path / "out3", thin)
    assert "made anew, it is the same image" in done.json["rungs"][0]["answer"]


def test_many_entries_are_judged_by_themselves_and_not_twice(entry, tmp_path):
    _, bundle = entry
    entries = tmp_path / "entries"
    entries.mkdir()
    (entries / "good.reprobox").write_bytes(bundle.read_bytes())
    (entries / "cut.reprobox").write_bytes(bundle.read_bytes()[:100_000])
    contest = tmp_path / "contest.yaml"
    contest.write_text(CONTEST)
    words = ("judge", "--contest", contest, "-o", tmp_path / "out", "--jobs", "2", "--json", entries)
    done = call_program(*words, check=False)
    assert done.code == 1
    rows = {row["file"]: row for row in done.json["entries"]}
    assert rows["good.reprobox"]["outcome"] == "IDENTICAL"
    assert (rows["cut.reprobox"]["outcome"], rows["cut.reprobox"]["exit_code"]) == ("REFUSED", 8)
    table = (tmp_path / "out" / "summary.csv").read_text().splitlines()
    assert table[1].startswith("rehearsal,IDENTICAL,accuracy,")
    assert "IDENTICAL" in (tmp_path / "out" / "summary.html").read_text()
    again = {row["file"]: row for row in call_program(*words, check=False).json["entries"]}
    assert again["good.reprobox"]["kept"] is True
    assert again["cut.reprobox"]["kept"] is False


@pytest.mark.long
def test_an_export_to_a_full_disk_leaves_no_bundle_and_goes_on_when_there_is_room(entry, tmp_path):
    folder, bundle = entry
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=True, timeout=30)
    try:
        done = call_program("export", "-o", small / "rehearsal.reprobox", folder, check=False)
        assert done.code == 2
        assert "no space left for" in done.stderr
        assert "make room and export again" in done.stderr
        assert [path.name for path in small.iterdir()] == [".rehearsal.reprobox.part.reprobox-tmp"]
        subprocess.run(["mount", "-o", "remount,size=1g", str(small)], check=True, timeout=30)
        call_program("export", "-o", small / "rehearsal.reprobox", folder)
        assert (small / "rehearsal.reprobox").read_bytes() == bundle.read_bytes()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True, timeout=30)


def test_an_entry_that_leaves_nothing_claims_nothing(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "spec.yaml").write_text("reprobox: 1\nname: empty\nseed: 32\ncommand: python train.py\n")
    (folder / "train.py").write_text("print('trained')\n")
    call_program("run", folder, timeout=900)
    bundle = tmp_path / "empty.reprobox"
    call_program("export", "-o", bundle, folder)
    done = call_program("judge", "--json", "-o", tmp_path / "out", bundle, check=False)
    assert done.code == 1
    assert done.json["verdict"] == "NOT COMPARABLE"
    assert "left no outputs" in done.json["reason"]


def test_a_second_judge_of_the_same_folder_is_told_to_wait(entry, tmp_path):
    _, bundle = entry
    folder = tmp_path / "out" / bundle.stem
    folder.mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        done = call_program("judge", "-o", tmp_path / "out", bundle, check=False)
    finally:
        os.close(held)
    assert done.code == 2
    assert f"another process judges into {folder}" in done.stderr
    assert list(folder.iterdir()) == []


def test_the_data_comes_with_the_bundle_or_from_the_judge_and_other_data_is_not_comparable(tmp_path):
    folder = tmp_path / "reads"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "a.txt").write_text("1")
    (folder / "table.csv").write_text("x\n2\n")
    spec = [
        "reprobox: 1\nname: reads\nseed: 32\ncommand: python train.py\noutputs: [sum.txt]\ninputs:",
        f"  data: {{path: data, sha256: {hash_input(folder / 'data')}}}",
        f"  table: {{path: table.csv, sha256: {hash_input(folder / 'table.csv')}}}",
    ]
    (folder / "spec.yaml").write_text("\n".join(spec) + "\n")
    train = "total = int(open('/input/data/deep/a.txt').read()) + int(open('/input/table').readlines()[1])\n"
    (folder / "train.py").write_text(train + "open('/output/sum.txt', 'w').write(str(total))\n")
    call_program("run", folder, timeout=900)
    whole, bare = tmp_path / "whole.reprobox", tmp_path / "bare.reprobox"
    call_program("export", "--with-inputs", "-o", whole, folder)
    call_program("export", "-o", bare, folder)
    (tmp_path / "elsewhere").mkdir()
    folder.rename(tmp_path / "elsewhere" / "reads")
    assert call_program("judge", "--json", "-o", tmp_path / "out", whole).json["verdict"] == "IDENTICAL"
    done = call_program("judge", "-o", tmp_path / "out", bare, check=False)
    assert (done.code, "reads the input 'data'" in done.stderr) == (2, True)
    mine = tmp_path / "elsewhere" / "reads"
    own = ("--input", f"data={mine / 'data'}", "--input", f"table={mine / 'table.csv'}")
    assert call_program("judge", "--json", *own, "-o", tmp_path / "out", bare).json["verdict"] == "IDENTICAL"
    (mine / "table.csv").write_text("x\n3\n")
    done = call_program("judge", "--json", *own, "-o", tmp_path / "out", bare, check=False)
    assert (done.code, done.json["verdict"]) == (1, "NOT COMPARABLE")
    assert "input table" in done.json["reason"]


@pytest.mark.long
def test_a_killed_judge_of_many_leaves_nothing_running(tmp_path):
    folder = tmp_path / "sleepy"
    folder.mkdir()
    (folder / "spec.yaml").write_text("reprobox: 1\nname: sleepy\nseed: 32\ncommand: python train.py\n")
    sleep = "import os, time\nif os.environ.get('REPROBOX_WATCH'):\n    time.sleep(600)\n"
    (folder / "train.py").write_text(f"{sleep}open('/output/x', 'w').write('1')\n")
    call_program("run", folder, timeout=900)
    entries = tmp_path / "entries"
    entries.mkdir()
    call_program("export", "-o", entries / "one.reprobox", folder)
    shutil.copy(entries / "one.reprobox", entries / "two.reprobox")
    words = [PROGRAM, "judge", "-o", tmp_path / "out", "--jobs", "2", entries]
    many = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(list_containers(tmp_path / "out")) == 2)
    finally:
        many.kill()
        many.wait(timeout=30)
    wait_until(lambda: not list_containers(tmp_path / "out"), seconds=60)


def wait_until(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.2)


@pytest.mark.long
def test_an_image_is_removed_when_the_judge_wants_it_and_the_pages_are_printed(entry, tmp_path):
    _, bundle = entry
    call_program("judge", "-o", tmp_path / "out", "--runs", "1", "--remove-image", "--pdf", bundle)
    assert image_names(bundle) == []
    twins = tmp_path / "twins"
    twins.mkdir()
    for name in ("one", "two"):
        shutil.copy(bundle, twins / f"{name}.reprobox")
    words = ("judge", "--json", "-o", tmp_path / "twice", "--jobs", "2", "--remove-image", twins)
    assert {row["outcome"] for row in call_program(*words).json["entries"]} == {"IDENTICAL"}
    assert image_names(bundle) == []
    # Asked for afterwards, the pages are printed, and nothing is judged again.
    again = call_program(*words, "--pdf").json["entries"]
    assert [row["kept"] for row in again] == [True, True]
    for name in ("one", "two"):
        assert (tmp_path / "twice" / name / "judgement.ja.pdf").read_bytes().startswith(b"%PDF-")
    found = tmp_path / "out" / bundle.stem
    for code in ("en", "ja"):
        assert (found / f"judgement.{code}.pdf").read_bytes().startswith(b"%PDF-")
    call_program("judge", "-o", tmp_path / "out", "--runs", "1", bundle)
    assert len(image_names(bundle)) == 1


def image_names(bundle):
    """Return the names of judges that the engine has for a bundle's image."""
    digest = json.loads(call_program("inspect", "--json", bundle).stdout)["manifest"]["image_digest"]
    found = docker.APIClient().images(filters={"reference": f"reprobox-judge/{digest.partition(':')[2][:32]}"})
    return [name for one in found for name in one["RepoTags"]]


@pytest.mark.parametrize("command", ["judge", "inspect"])
def test_a_file_that_is_not_there_is_the_callers_mistake_and_another_file_is_no_bundle(command, tmp_path):
    done = call_program(command, tmp_path / "absent.reprobox", cwd=tmp_path, check=False)
    assert (done.code, "No such file" in done.stderr) == (2, True)
    (tmp_path / "text.reprobox").write_text("This is not the file that you are looking for.\n")
    done = call_program(command, tmp_path / "text.reprobox", cwd=tmp_path, check=False)
    assert (done.code, "it is no archive" in done.stderr) == (8, True), done.stderr
