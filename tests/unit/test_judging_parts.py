"""The parts of judging: the contest's file, hooks, agreement, scores, and why a run was none."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_files import npy
from made_records import make_record

from reprobox.compare.model import Tolerance
from reprobox.engines.fake import FakeEngine
from reprobox.errors import BundleError, EngineError, SpecError, UsageError
from reprobox.judging.agreement import agree, choose_predictions
from reprobox.judging.claim import find_false_score, list_copies, read_claimed_metrics, score_claim
from reprobox.judging.ending import explain_failure
from reprobox.judging.lint import find_hooks
from reprobox.judging.receive import choose_folder
from reprobox.judging.sandbox import choose_runtime, choose_timeout, make_fence
from reprobox.judging.seeds import SeedRuns
from reprobox.judging.syscalls import close_namespaces
from reprobox.judging.terms import Contest, Limits, Metric, read_contest
from reprobox.judging.words import tell_english
from reprobox.plan import SourceFile
from reprobox.records import StageRecord
from reprobox.spec.model import Resources
from reprobox.verdict import Verdict

CONTEST = """contest: 1
name: Food
tolerance: {relative: 1e-6, absolute: 0.5}
metric: {name: error, better: lower}
predictions: predictions.csv
runs: 3
seeds: 30
inputs: {images: images}
leaderboard: {second: 0.25, third: -1.5e2}
limits: {memory: 2g, shm: 1g, scratch: 64m, time: 1h30m, processes: 100, open_files: 200, output: 3g, output_files: 9}
read_only: false
"""


def read(folder, text):
    (folder / "images").mkdir(exist_ok=True)
    (folder / "contest.yaml").write_text(text)
    return read_contest(folder / "contest.yaml")


def test_a_contests_file_says_everything_that_holds_for_all(tmp_path):
    contest = read(tmp_path, CONTEST)
    assert (contest.name, contest.runs, contest.seeds, contest.read_only) == ("Food", 3, 30, False)
    assert contest.metric == Metric("error", higher_is_better=False)
    assert (contest.tolerance.relative, contest.tolerance.absolute) == (1e-6, 0.5)
    assert contest.inputs == {"images": tmp_path / "images"}
    assert contest.leaderboard == {"second": 0.25, "third": -150.0}
    assert contest.limits == Limits(
        memory=2 * 2**30, shm=2**30, scratch=64 * 2**20, time=5400.0, processes=100, open_files=200,
        output=3 * 2**30, output_files=9,
    )  # fmt: skip


def test_what_it_does_not_say_is_as_without_one(tmp_path):
    assert read(tmp_path, "contest: 1\n") == Contest()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("contest: 2", "contest"),
        ("colour: red", "colour"),
        ("runs: 0", "runs"),
        ("seeds: -1", "seeds"),
        ("tolerance: {relative: -1}", "tolerance.relative"),
        ("tolerance: {relative: .nan}", "tolerance.relative"),
        ("tolerance: {relative: 1e9999}", "tolerance.relative"),
        ("metric: {better: higher}", "metric.name"),
        ("metric: {name: x, better: best}", "metric.better"),
        ("inputs: {x: nowhere}", "inputs.x"),
        ("leaderboard: {x: first}", "leaderboard.x"),
        ("limits: {memory: 1k}", "limits.memory"),
        ("limits: {processes: 1}", "limits.processes"),
        ("limits: {time: never}", "limits.time"),
        ("read_only: perhaps", "read_only"),
    ],
)
def test_a_mistake_in_it_is_told_with_its_key(tmp_path, line, key):
    text = f"{line}\n" if line.startswith("contest") else f"contest: 1\n{line}\n"
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert [one.key for one in caught.value.problems] == [key]


def test_all_mistakes_are_told_at_once_and_a_file_that_is_not_there_too(tmp_path):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, "runs: 0\nseeds: x\n")
    assert {one.key for one in caught.value.problems} == {"contest", "runs", "seeds"}
    with pytest.raises(UsageError, match="cannot be read"):
        read_contest(tmp_path / "absent")


# Hooks.


def config(**settings):
    return json.dumps({"config": {"Env": ["PATH=/bin", "NVIDIA_TF32_OVERRIDE=0"], **settings}}).encode()


def test_an_image_of_ours_has_no_hooks():
    assert list(find_hooks(config(Entrypoint=["python"], User="1000"))) == []


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_X",
                                  "CUDA_INJECTION64_PATH", "LD_DEBUG_OUTPUT", "_CONTAINERS_X"])  # fmt: skip
def test_a_variable_that_acts_before_the_program_is_one(name):
    (hook,) = find_hooks(config(Env=[f"{name}=x"]))
    assert name in hook


@pytest.mark.parametrize("key", ["OnBuild", "Healthcheck", "Volumes", "Shell", "StopSignal", "ExposedPorts"])
def test_a_setting_that_acts_on_the_machine_is_one(key):
    (hook,) = find_hooks(config(**{key: ["x"]}))
    assert key in hook


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'{"config": 1}', b"[" * 100_000, b"\xff"])
def test_a_configuration_that_cannot_be_read_is_refused(text):
    with pytest.raises(BundleError, match="cannot be read"):
        list(find_hooks(text))


# Agreement.


@pytest.fixture
def agreement(tmp_path):
    def compare(one, other, name="predictions.csv"):
        paths = [tmp_path / f"{which}-{name}" for which in "ab"]
        for path, data in zip(paths, (one, other), strict=True):
            path.write_bytes(data)
        return agree(*paths)

    return compare


def test_rows_that_are_the_same_are_counted(agreement):
    assert agreement(b"id,label\n1,a\n2,b\n3,c\n", b"id,label\r\n1,a\n2,x\n3,c") == 0.75


def test_rows_that_only_one_has_do_not_agree(agreement):
    assert agreement(b"1\n2\n3\n4\n", b"1\n2\n") == 0.5
    assert agreement(b"", b"1\n") == 0
    assert agreement(b"", b"") is None


def test_rows_of_arrays_agree_where_all_their_values_do(agreement):
    a = np.arange(12.0).reshape(4, 3)
    b = a.copy()
    b[1, 2] += 1
    b[2, 0] += 1e-15
    assert agreement(npy(a), npy(b), "x.npy") == 0.75
    assert agreement(npy(np.array([np.nan, 1])), npy(np.array([np.nan, 2])), "x.npy") == 0.5
    assert agreement(npy(np.array([True, False])), npy(np.array([1, 1])), "x.npy") == 0.5
    assert agreement(npy(np.array(["a", "b"])), npy(np.array(["a", "c"])), "x.npy") == 0.5


def test_a_large_array_is_compared_in_pieces(agreement):
    a = np.zeros((5000, 700), np.float32)
    b = a.copy()
    b[4321] = 1
    assert agreement(npy(a), npy(b), "x.npy") == 4999 / 5000


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
    return out.getvalue()


HOSTILE = {
    "a zip": zipped(),
    "a broken zip": b"PK\3\4" + bytes(100),
    "a pickle": npy(np.array([{}, 1], object)),
    "nothing": b"",
    "text": b"1,2\n",
    "no shape": npy(np.array(1.0)),
    "no rows": npy(np.zeros((0, 3))),
    "rows of nothing": npy(np.zeros((3, 0))),
    "records": npy(np.zeros(3, [("a", "i4"), ("b", "f8")])),
    "raw bytes": npy(np.zeros(3, "V5")),
    "a header of gigabytes": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    "a shape of exabytes": npy(np.arange(3)).replace(b"(3,)", b"(9" + b"9" * 17 + b",)", 1)[:118] + bytes(20),
    "a negative shape": npy(np.arange(3)).replace(b"(3,)", b"(-3)", 1),
    "a header that is a program": npy(np.arange(3)).replace(b"'descr'", b"exit(1)", 1),
    **{f"the header {text}": b"\x93NUMPY\1\0\x40\0" + text.encode().ljust(64) for text in ("(", "{[]:1}", " x\n  y")},
    "a type of nothing": npy(np.arange(3)).replace(b"'<i8'", b"()   ", 1),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_array_agrees_with_nothing_and_ends_nothing(agreement, data):
    whole = npy(np.arange(3))
    for one, other in ((data, whole), (whole, data), (data, data)):
        assert agreement(one, other, "x.npy") is None


def test_values_of_other_kinds_do_not_agree(agreement):
    numbers, words = npy(np.array([1, 2])), npy(np.array(["1", "2"]))
    times = npy(np.array([1, 2], "M8[s]"))
    assert {agreement(numbers, words, "x.npy"), agreement(words, times, "x.npy")} == {0.0}


def test_links_pipes_and_files_of_other_kinds_are_not_read(tmp_path):
    import os

    (tmp_path / "a.csv").write_text("1\n")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "c.csv")
    (tmp_path / "d.csv").mkdir()
    for name in ("b", "c", "d", "absent"):
        assert agree(tmp_path / "a.csv", tmp_path / f"{name}.csv") is None
    assert agree(tmp_path / "a.pkl", tmp_path / "a.pkl") is None


@pytest.mark.parametrize(
    ("wanted", "paths", "chosen"),
    [
        ("a.csv", ["a.csv", "predictions.csv"], "a.csv"),
        ("absent.csv", ["predictions.csv"], ""),
        ("", ["model.npy", "sub/Submission.csv"], "sub/Submission.csv"),
        ("", ["submission.csv", "predictions.npy"], "predictions.npy"),
        ("", ["predictions.pkl", "model.npy"], ""),
    ],
)
def test_predictions_are_what_the_contest_names_or_the_likeliest(wanted, paths, chosen):
    assert choose_predictions(wanted, paths) == chosen


# Claims.


@pytest.fixture
def entry(tmp_path):
    def make(metrics, outputs=(), source=()):
        claim = replace(make_record(outputs), metrics=metrics)
        return SimpleNamespace(claim=claim, folder=tmp_path, plan=SimpleNamespace(source=source))

    return make


def test_a_claimed_score_that_is_no_number_or_has_no_name_is_none(entry):
    metrics = {"accuracy": float("nan"), "loss": float("inf"), "huge": 1e200, "x" * 101: 1.0, "f1": 0.5}
    assert read_claimed_metrics(Contest(), entry(metrics)) == {"f1": 0.5}


def test_the_outputs_that_are_there_count_more_than_the_record(entry, tmp_path):
    (tmp_path / "reprobox/claim/output").mkdir(parents=True)
    (tmp_path / "reprobox/claim/output/metrics.json").write_text('{"f1": 0.25}')
    assert read_claimed_metrics(Contest(), entry({"f1": 0.5, "loss": 1.0})) == {"f1": 0.25, "loss": 1.0}


def test_scores_have_places_among_the_others():
    contest = Contest(metric=Metric("f1"), leaderboard={"second": 0.8, "third": 0.6})
    (score,) = score_claim(contest, {"f1": 0.9, "x": 1}, {"f1": 0.7, "x": 1})
    assert (score.metric, score.claimed, score.judged) == ("f1", 0.9, 0.7)
    assert (score.rank_claimed, score.rank_judged, score.band, score.inside) == (1, 2, None, None)


def test_where_less_is_better_the_least_is_first():
    contest = Contest(metric=Metric("error", higher_is_better=False), leaderboard={"second": 0.2, "third": 0.3})
    (score,) = score_claim(contest, {"error": 0.1}, {"error": 0.25})
    assert (score.rank_claimed, score.rank_judged) == (1, 2)


@pytest.mark.parametrize(
    ("claimed", "better", "sensitive"),
    [(0.72, "higher", False), (0.95, "higher", True), (0.2, "higher", False), (0.2, "lower", True),
     (0.95, "lower", False), (0.95, "", True), (0.2, "", True), (0.72, "", False)],
)  # fmt: skip
def test_a_claim_that_other_seeds_do_not_reach_is_seed_sensitive(claimed, better, sensitive):
    fresh = [{"f1": value} for value in (0.70, 0.71, 0.72, 0.74, 0.75)]
    contest = Contest(metric=Metric("f1", higher_is_better=better == "higher")) if better else Contest()
    (score,) = score_claim(contest, {"f1": claimed}, {"f1": 0.72}, fresh)
    assert score.seed_sensitive is sensitive
    assert (score.median, score.sd) == (0.72, pytest.approx(0.0207, abs=1e-4))


def test_without_fresh_seeds_there_is_no_median_and_no_claim_is_seed_sensitive():
    (score,) = score_claim(Contest(), {"f1": 0.9}, {"f1": 0.7}, [{"f1": 0.7}])
    assert (score.median, score.sd, score.seed_sensitive) == (None, None, None)


def test_a_claim_is_inside_or_outside_of_what_other_seeds_give():
    fresh = [{"f1": value} for value in (0.70, 0.71, 0.72, 0.73, 0.74)]
    inside, outside = (score_claim(Contest(), {"f1": value}, {"f1": 0.72}, fresh)[0] for value in (0.75, 0.95))
    assert (inside.inside, outside.inside, inside.seeds) == (True, False, 5)
    assert inside.band[0] < 0.70 < 0.74 < inside.band[1]


def test_a_score_that_the_same_content_does_not_have_is_false():
    contest = Contest(metric=Metric("f1"))

    def find(contest, claimed, judged):
        found = find_false_score(contest, score_claim(contest, {"f1": claimed}, {"f1": judged}))
        return tell_english((found,)) if found else ""

    assert find(contest, 0.99, 0.41) == "f1: 0.99 is claimed, and the judge's run has 0.41"
    assert find(contest, 0.41, 0.41 * (1 + 1e-12)) == ""
    assert find(replace(contest, tolerance=Tolerance(0.0, 0.1)), 0.5, 0.45) == ""
    assert find(Contest(), 0.99, 0.41) == ""  # no contest ranks by it
    assert find_false_score(contest, score_claim(contest, {"f1": 0.5}, {})) is None


def test_seeds_that_mostly_fail_leave_no_band():
    values = [{"f1": 0.5}, {"f1": 0.55}, {"f1": 0.52}]

    def judge(left, made):
        scores = score_claim(Contest(), {"f1": 0.53}, {"f1": 0.5}, values[:left])
        assert scores[0].inside
        return SeedRuns(((Path("x"), make_record()),) * made).judge(scores)[0]

    assert judge(2, 2) is Verdict.CONSISTENT  # as many as were asked for
    assert judge(3, 5) is Verdict.CONSISTENT
    assert {judge(2, 5), judge(2, 3), judge(3, 6)} == {Verdict.DIFFERENT}


def test_scores_of_one_side_only_are_left_out():
    assert score_claim(Contest(), {"a": 1.0}, {"b": 1.0}) == ()
    assert score_claim(Contest(metric=Metric("a")), {"b": 1.0}, {"a": 1.0}) == ()


def test_a_result_that_the_source_holds_already_is_named(entry):
    record = make_record((("model.npy", b"model"), ("empty", b"")))
    digests = {one.path: one.sha256 for one in record.outputs}
    source = (
        SourceFile("data/ready.npy", size=5, executable=False, sha256=digests["model.npy"], link=""),
        SourceFile("__init__.py", size=0, executable=False, sha256=digests["empty"], link=""),
    )
    said = list_copies(entry({}, (("model.npy", b"model"), ("empty", b"")), source))
    assert tell_english(said).startswith("model.npy is in the source already, as data/ready.npy")


# Endings.


def explain(tmp_path, log=b"", **changes):
    values = {"exit_code": 1, "peak_memory": None, "out_of_memory": False, "timed_out": False, **changes}
    stage = StageRecord(name="train", command=("python",), seconds=6.2, **values)
    (tmp_path / "log.txt").write_bytes(log)
    record = make_record(stages=(stage,), exit_code=stage.exit_code)
    return tell_english(explain_failure(record, tmp_path, Contest(limits=Limits(memory=2**30))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stopped_for": "it wrote more than 7 bytes to /output", "exit_code": 137}, "it wrote more than 7 bytes"),
        ({"timed_out": True, "exit_code": 137}, "its time was up after 6 s (limits.time)"),
        ({"out_of_memory": True, "exit_code": 137}, "more memory than the limit of 1.1 GB"),
        ({"exit_code": 137}, "does not put down to memory"),
        ({"exit_code": 137, "peak_memory": 2**29}, "does not put down to memory"),
        ({"exit_code": 137, "peak_memory": 2**30}, "as much memory was in use as it may have, 1.1 GB (limits.memory)"),
        ({"exit_code": 153}, "it wrote a file larger than 10.7 GB"),
        ({"exit_code": 3}, "failed with exit code 3"),
    ],
)
def test_each_way_to_end_has_words_of_its_own(tmp_path, changes, words):
    assert words in explain(tmp_path, **changes)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (b"OSError: [Errno 30] Read-only file system: '/work/x'", "it writes outside of /output"),
        (b"socket.gaierror: [Errno -3] Temporary failure in name resolution", "it wants the network"),
        (b"OSError: [Errno 101] Network is unreachable", "it wants the network"),
        (b"OSError: [Errno 27] File too large", "limits.output"),
        (b"OSError: [Errno 28] No space left on device", "limits.scratch"),
    ],
)
def test_what_it_printed_tells_where_the_sandbox_is_the_likely_reason(tmp_path, log, words):
    assert words in explain(tmp_path, log)


def test_its_last_words_are_cut_and_harmless(tmp_path):
    text = explain(tmp_path, b"early\n" * 100 + b"\x1b[2J\x9b\xff" + b"x" * 5000 + b"\nlast\r\n\n")
    assert text.isprintable()
    assert text.endswith("last")
    assert "early" not in text
    assert len(text) < 1500


def test_outputs_that_are_left_out_are_named_harmlessly(tmp_path):
    stage = StageRecord("train", ("python",), 0, 1.0, None, False, False)
    record = make_record(stages=(stage,), missing_outputs=("a\x1b[2J",))
    assert tell_english(explain_failure(record, tmp_path, Contest())) == "the program ended well and left out a\\x1b[2J"


# Sandbox.


def test_an_entry_gets_what_it_asks_for_and_never_more_than_the_contest_gives(tmp_path):
    contest = Contest(limits=Limits(memory=2**30, shm=2**28, time=100.0))
    for asked, memory, shm, seconds in (
        (None, 2**30, 2**28, 100),
        (2**40, 2**30, 2**28, 100),
        (2**26, 2**26, 2**26, 9),
    ):
        resources = Resources(memory=asked, shm=asked, timeout=float(seconds) if asked == 2**26 else None)
        fence = make_fence(contest, resources, 2**34, "")(tmp_path)
        assert (fence.memory, fence.shm, choose_timeout(contest, resources)) == (memory, shm, seconds)


def test_without_a_contest_three_quarters_of_the_machines_memory_are_the_limit(tmp_path):
    fence = make_fence(Contest(), Resources(), 2**30, "runsc")(tmp_path)
    assert (fence.memory, fence.runtime, fence.read_only) == (3 * 2**28, "runsc", True)
    assert {quota.what: quota.folder for quota in fence.quotas} == {
        "/output": tmp_path / "output",
        "its record folder": tmp_path / "record",
    }


DOCKER = replace(FakeEngine().info(), runtimes={"runc": "runc", "guard": "/usr/bin/runsc"}, default_runtime="runc")
PODMAN = replace(DOCKER, name="podman")
GVISOR = replace(DOCKER, runtimes={"runc": "runc", "runsc": "/usr/bin/runsc"})


@pytest.mark.parametrize(
    ("name", "info"),
    [("guard", DOCKER), ("io.containerd.runsc.v1", DOCKER), ("/opt/shim", DOCKER), ("runc", PODMAN), ("runc", GVISOR)],
)
def test_a_runtime_that_the_engine_has_is_taken(name, info):
    assert choose_runtime(name, info, ()) == name


@pytest.mark.parametrize(
    ("info", "gpus", "chosen"),
    [(DOCKER, (), ""), (GVISOR, (), "runsc"), (GVISOR, ("all",), ""), (replace(GVISOR, name="podman"), (), "")],
)
def test_gvisor_is_taken_where_it_is_unasked(info, gpus, chosen):
    assert choose_runtime("", info, gpus) == chosen


@pytest.mark.parametrize(
    ("name", "info", "words", "hint"),
    [
        (
            "runsc",
            DOCKER,
            "--runtime runsc: the container engine has no such runtime; it has: guard, runc",
            "daemon.json",
        ),
        ("guard", PODMAN, "--runtime guard: Podman runs every container with runc", 'write runtime = "guard"'),
    ],
)
def test_a_runtime_that_would_not_be_used_is_refused(name, info, words, hint):
    with pytest.raises(EngineError) as caught:
        choose_runtime(name, info, ())
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_a_list_of_system_calls_loses_what_opens_namespaces_and_keeps_the_rest():
    allowed = {"action": "SCMP_ACT_ALLOW", "args": []}
    for_root = {"names": ["setns", "bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}
    rules = [{"names": ["clone", "clone3", "read", "unshare"], **allowed}, {"names": ["keyctl"], **allowed}, for_root]
    closed = close_namespaces({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    assert closed["defaultAction"] == "SCMP_ACT_ERRNO"
    kept, root, *ruled = closed["syscalls"]
    assert kept == {"names": ["read"], **allowed}
    assert root == {**for_root, "names": ["bpf"]}
    actions = {name: (rule["action"], rule.get("errnoRet")) for rule in ruled for name in rule["names"]}
    assert {actions[name] for name in ("unshare", "keyctl", "setns", "mount")} == {("SCMP_ACT_ERRNO", 1)}
    assert actions["clone3"] == ("SCMP_ACT_ERRNO", 38)
    (clone,) = (rule for rule in ruled if "clone" in rule["names"])
    (condition,) = clone["args"]
    assert condition["value"] & 0x10000000  # CLONE_NEWUSER
    assert not condition["value"] & 0x10F00  # what a thread is made with


@pytest.mark.parametrize(
    "name",
    [
        "...reprobox",
        "..reprobox",
        "a\nb.reprobox",
        "\x1b[2J.reprobox",
        "summary.json.reprobox",
        ".reproboxignore.reprobox",
    ],
)
def test_a_files_name_leads_its_judgement_nowhere_else(name):
    with pytest.raises(BundleError, match="rename the file") as caught:
        choose_folder(Path(name), Path("/judgements"))
    assert caught.value.message.isprintable()
    assert choose_folder(Path("../x/a.b.reprobox"), Path("/judgements")) == Path("/judgements/a.b")
