"""Repeating runs on an engine in memory: what is run, compared, kept and said."""

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace

import pytest
from made_records import HOST, make_record

from reprobox.compare.model import Tolerance
from reprobox.engines.base import ContainerResult
from reprobox.engines.fake import FakeEngine
from reprobox.errors import EngineError, Interrupted, UsageError
from reprobox.lock import ArchiveBase, Lock, PythonTarget
from reprobox.outputs import Unread
from reprobox.pins import list_promises
from reprobox.plan import make_plan
from reprobox.records import Gpu, format_record
from reprobox.run import RunRequest
from reprobox.spec.load import parse_spec
from reprobox.verdict import Verdict, choose_exit
from reprobox.verification import VerifyOptions
from reprobox.verify import VerifyRequest, find_reference, verify_runs
from reprobox.verify_text import describe_row, describe_verification

SPEC = "reprobox: 1\nname: x\nseed: 1\n"
COMMAND = "command: python x.py\n"
STAGES = """stages:
  prepare: {command: python p.py, outputs: [table.csv]}
  train: {command: python t.py, outputs: [m.json]}
"""
NOW = datetime(2026, 11, 21, 8, 45, tzinfo=UTC)


class Engine(FakeEngine):
    """Runs a program for whatever image is named."""

    def _get(self, reference):
        return SimpleNamespace(env={}, command=((), ()), image=SimpleNamespace(diff_ids=()))


def output_of(call):
    return next(mount.source for mount in call.mounts if mount.target == "/output")


def writing(name, *texts):
    """A program that writes the first text in its first run, and so on; the last one ever after."""
    numbers = count()

    def program(call):
        text = texts[min(next(numbers), len(texts) - 1)]
        (output_of(call) / name).write_text(text)
        call.write("stdout", b"loss=0.5\n")
        return 0

    return program


@pytest.fixture
def verify(tmp_path):
    base, python = ArchiveBase("root.tar", "0" * 64), PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")

    def run(program, spec=COMMAND, engines=1, off=False, trace=False, host=None, **settings):
        parsed = parse_spec(SPEC + spec, "spec.yaml", None)
        plan = make_plan(parsed, Lock("1", 1, "", (), base, python, (), ()), ())
        request = RunRequest(
            image="x",
            image_digest="sha256:" + "1" * 64,
            plan=plan,
            spec=parsed,
            project=tmp_path,
            runs=tmp_path / "runs",
            stages=plan.stages,
            command=(),
            gpus=("all",) if host else (),
            caller=(1000, 1000),
            host=host or HOST,
            started=NOW,
            trace=trace,
        )
        usual = {"runs": 3, "tolerance": None, "reference": None, "folder": tmp_path / "verify", "started": NOW}
        wanted = VerifyRequest(run=request, off=replace(request, image="off") if off else None, **{**usual, **settings})
        rows = []
        with_rows = SimpleNamespace(rows=rows, kept=lambda: read_only(tmp_path / "verify"))
        try:
            with_rows.found = verify_runs(wanted, [Engine(program) for _ in range(engines)], lambda: NOW, rows.append)
            with_rows.text = describe_verification(with_rows.found)
        except Exception as error:
            with_rows.error = error
        return with_rows

    return run


def read_only(folder):
    (path,) = folder.iterdir()
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def test_identical_runs(verify):
    done = verify(writing("m.json", '{"accuracy": 0.5}'))
    assert done.found.judgement.verdict is Verdict.IDENTICAL
    assert len({row.record.id for row in done.rows}) == 3
    line = describe_row(done.rows[1], 3)
    assert line.startswith("run 2/3  20261121-084500-2  loss=0.5  m.json ")
    assert "verdict  IDENTICAL — 3/3 identical: divergence rate ≤ 63 % at 95 %" in done.text
    assert "suspect" not in done.text
    kept = done.kept()
    assert next(iter(kept)) == "schema_version"
    assert (kept["verdict"], kept["agreeing"], len(kept["runs"])) == ("IDENTICAL", 3, 3)
    assert kept == done.found.to_json()


class Watched:
    """Keeps what is shown while something goes on, and when it is taken away."""

    def __init__(self):
        self.heard = []

    @contextmanager
    def watch(self, name):
        self.heard.append(("begin", name))
        yield lambda text: self.heard.append((name, text))
        self.heard.append(("end", name))

    @contextmanager
    def aside(self):
        self.heard.append("aside")
        yield
        self.heard.append("back")


def test_each_run_is_shown_with_what_it_prints_and_its_row_beside_that(verify):
    shown = Watched()
    done = verify(writing("m.json", "{}"), runs=2, reporter=shown)
    assert done.found.judgement.verdict is Verdict.IDENTICAL
    # The second may begin before the first one's row is shown.
    assert [one for one in shown.heard if "2 of 2" not in str(one)] == [
        ("begin", "run 1 of 2, seed 1"),
        ("run 1 of 2, seed 1", "loss=0.5"),
        ("end", "run 1 of 2, seed 1"),
        *("aside", "back") * 2,
    ]
    assert ("run 2 of 2, seed 1", "loss=0.5") in shown.heard


def test_at_portable_it_says_what_that_promises_of_other_processors(verify):
    promises = list_promises("avx2", {"torch": "2.13.0"})
    spec = f"determinism: {{level: portable, cpu: avx2}}\n{COMMAND}"
    done = verify(writing("m.json", "{}"), spec=spec, promises=promises)
    lines = done.text.splitlines()
    start = lines.index("promise  on other processors that can run avx2, with the same image:")
    assert "         not promised        PyTorch: sqrt, and optimizers that use it, Adam among them" in lines[start:]
    assert lines[-2].startswith("verdict  IDENTICAL")
    kept = done.kept()
    assert (kept["cpu"], len(kept["promises"])) == ("avx2", len(promises))
    assert kept["promises"][0] == {
        "id": "python",
        "what": "Python: `random`, hashes, `math`",
        "holds": "same",
        "checked": "test",
    }
    plain = verify(writing("m.json", "{}"))
    assert "promise" not in plain.text
    assert [plain.found.to_json()[key] for key in ("cpu", "promises", "gpus")] == [None, [], None]


def test_after_runs_on_gpus_it_says_for_which_the_same_bits_are_promised(verify):
    host = replace(HOST, gpus=tuple(Gpu("NVIDIA H200", "580.95.05", 1 << 37, index) for index in range(2)))
    done = verify(writing("m.json", "{}"), host=host)
    promise = "the same bits are promised only on as many GPUs of the same model with the same branch of the driver"
    assert f"promise  {promise}: 2 × NVIDIA H200 with driver 580\nverdict  IDENTICAL" in done.text
    assert done.kept()["gpus"] == {"used": "2 × NVIDIA H200 with driver 580", "promise": promise}


def test_runs_that_differ_are_compared_and_the_place_is_named(verify):
    done = verify(writing("m.json", '{"a": 0.5, "b": 1}', '{"a": 0.75, "b": 1}'))
    assert done.found.judgement.verdict is Verdict.DIFFERENT
    assert done.found.judgement.reason == "2 of 3 runs differ from the first"
    assert "m.json: different, read as json: 1 of 2 parts\n           a: 0.5 against 0.75" in done.text
    assert "`reprobox diff 20261121-084500 20261121-084500-2`" in done.text
    assert done.kept()["comparisons"][1]["files"][0]["differences"][0]["part"] == "a"


def test_a_tolerance_makes_them_equivalent(verify):
    done = verify(writing("m.json", "0.5", "0.5000001"), tolerance=Tolerance(1e-6))
    assert done.found.judgement.verdict is Verdict.EQUIVALENT
    assert "within the tolerance, read as json" in done.text


def test_numbers_that_json_lacks_are_texts_in_the_record(verify):
    done = verify(writing("m.csv", "a\n0.0\n", "a\nnan\n"))
    assert done.kept()["comparisons"][0]["files"][0]["differences"][0]["numbers"]["max_relative"] == "inf"


def test_only_declared_outputs_are_compared_and_the_others_are_named(verify):
    numbers = count()

    def program(call):
        (output_of(call) / "m.json").write_text("1")
        (output_of(call) / "times.txt").write_text(str(next(numbers)))
        return 0

    done = verify(program, COMMAND + "outputs: [m.json]\n")
    assert done.found.judgement.verdict is Verdict.IDENTICAL
    assert "note     not compared, since the spec's outputs do not name them: times.txt" in done.text
    assert verify(program).found.judgement.verdict is Verdict.DIFFERENT


def test_the_first_stage_that_parts_is_named(verify):
    numbers = count()

    def program(call):
        name = "table.csv" if call.argv == ("@prepare",) else "m.json"
        (output_of(call) / name).write_text(str(next(numbers) // 2))
        return 0

    done = verify(program, STAGES)
    assert done.found.first_stage == "prepare"
    assert "first    prepare" in done.text


def test_no_outputs_are_not_comparable(verify):
    assert verify(lambda call: 0).found.judgement.verdict is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("engines", [1, 2])
def test_a_failed_run_ends_it_and_what_was_run_stays(verify, engines):
    numbers = count(1)

    def program(call):
        return 3 if next(numbers) == 2 else writing("m", "1")(call)

    done = verify(program, runs=9, engines=engines)
    assert done.found.judgement.verdict is Verdict.NOT_RUN
    assert done.found.judgement.reason.endswith("failed with exit code 3")
    assert "log.txt has what it printed" in done.text
    assert done.kept()["verdict"] == "NOT RUN"
    assert len(done.rows) <= 4


def test_a_run_that_was_stopped_at_its_time_is_no_result_in_however_good_order_it_ended(verify):
    left = writing("m.json", "1")

    def program(call):
        return ContainerResult(left(call), 8.0, out_of_memory=False, timed_out=True, peak_memory=None)

    done = verify(program)
    judgement = done.found.judgement
    assert (judgement.verdict, choose_exit(judgement.verdict)) == (Verdict.NOT_RUN, 7)
    assert judgement.reason == "run 20261121-084500 was stopped at its time, resources.timeout in the spec"
    assert [row.record.exit_code for row in done.rows] == [143]  # 128 and SIGTERM


def test_stages_after_one_that_was_stopped_at_its_time_are_not_run(verify):
    stages = []

    def program(call):
        stages.append(call.argv)
        return ContainerResult(0, 8.0, out_of_memory=False, timed_out=True, peak_memory=None)

    verify(program, STAGES, runs=1)
    assert stages == [("@prepare",)]


def test_a_missing_output_ends_it(verify):
    done = verify(writing("m.json", "1"), COMMAND + "outputs: [m.json, gone.csv]\n")
    assert done.found.judgement.reason == "run 20261121-084500 left out gone.csv"


def test_an_interrupted_verification_is_kept(verify):
    numbers = count(1)

    def program(call):
        if next(numbers) == 2:
            raise Interrupted("stopped by SIGINT")
        return writing("m", "1")(call)

    done = verify(program)
    assert isinstance(done.error, Interrupted)
    assert done.kept()["reason"] == "interrupted after 1 of 3 runs"


def test_an_engine_that_is_lost_ends_it_with_its_error(verify):
    def program(call):
        raise EngineError("gone")

    done = verify(program, engines=2)
    assert isinstance(done.error, EngineError)
    assert done.kept()["reason"] == "ended after 0 of 3 runs: gone"


def test_a_record_that_cannot_be_written_hides_no_verdict(verify, tmp_path):
    (tmp_path / "verify").write_text("in the way")
    done = verify(writing("m.json", "1"))
    assert done.found.judgement.verdict is Verdict.IDENTICAL
    assert "note     this could not be kept in " in done.text


@pytest.fixture
def broken(monkeypatch):
    """A function: what breaks when it is called in ``reprobox.verify``."""

    def fail(*_, **__):
        raise ValueError("Exceeds the limit (4300 digits)")

    return lambda name: monkeypatch.setattr(f"reprobox.verify.{name}", fail)


@pytest.mark.parametrize(
    ("name", "what"),
    [("compare_runs", "first step"), ("rank_suspects", "suspects"), ("compare_folders", "contributions")],
)
def test_what_cannot_be_found_out_about_a_difference_hides_no_verdict(verify, broken, name, what):
    broken(name)
    done = verify(writing("m.json", "1", "2"), trace=True)
    assert done.found.judgement.verdict is Verdict.DIFFERENT
    assert "m.json: different, read as json" in done.text
    assert f"note     {what}: could not be found out, by a mistake in reprobox: ValueError: Exceeds" in done.text
    assert done.kept() == done.found.to_json()


def test_a_mistake_in_comparing_keeps_the_runs(verify, broken):
    broken("compare_files")
    done = verify(writing("m.json", "1", "2"))
    assert isinstance(done.error, ValueError)
    assert done.kept()["reason"] == (
        "ended after 3 of 3 runs by a mistake in reprobox: ValueError: Exceeds the limit (4300 digits)"
    )
    assert len(done.kept()["runs"]) == 3


def test_what_ended_it_is_told_also_where_nothing_can_be_concluded(verify, broken):
    def program(call):
        raise EngineError("gone")

    broken("_describe_end")
    assert isinstance(verify(program).error, EngineError)


def linking(*targets):
    """A program that leaves two models and a link to one of them: to the first target in its first run, and so on."""
    numbers = count()

    def program(call):
        output = output_of(call)
        for name in ("epoch1.pt", "epoch2.pt"):
            (output / name).write_text(name)
        target = targets[min(next(numbers), len(targets) - 1)]
        if target:
            (output / "best.pt").symlink_to(target)
        return 0

    return program


def test_links_that_lead_elsewhere_are_a_difference(verify):
    done = verify(linking("epoch1.pt", "epoch2.pt"))
    assert done.found.judgement.verdict is Verdict.DIFFERENT
    assert "best.pt: different (a link to epoch1.pt against a link to epoch2.pt)" in done.text
    assert done.kept()["comparisons"][0]["files"][0]["path"] == "best.pt"
    assert done.kept()["runs"][1]["unread"] == {"best.pt": "a link to epoch2.pt"}
    assert verify(linking("epoch1.pt", "")).found.comparisons[0].missing == ("best.pt",)
    assert verify(linking("", "epoch1.pt")).found.comparisons[0].added == ("best.pt",)


def test_links_that_lead_to_the_same_place_are_none_and_are_named(verify):
    done = verify(linking("epoch1.pt"))
    assert done.found.judgement.verdict is Verdict.IDENTICAL
    assert "note     not read, since they are no files that can be: best.pt (a link to epoch1.pt)" in done.text
    undeclared = verify(linking("epoch1.pt", "epoch2.pt"), COMMAND + "outputs: [epoch1.pt]\n")
    assert undeclared.found.judgement.verdict is Verdict.IDENTICAL


def test_files_that_nobody_could_read_are_not_comparable(verify, monkeypatch):
    closed = (Unread("m.bin", "it cannot be read: Permission denied", True),)
    monkeypatch.setattr("reprobox.verify.list_unread", lambda folder, listed: closed)
    done = verify(writing("m.json", "1"))
    assert done.found.judgement.verdict is Verdict.NOT_COMPARABLE
    assert "m.bin: not comparable: it cannot be read: Permission denied" in done.text
    assert "verdict  NOT COMPARABLE — nothing is known to differ but what cannot be read" in done.text


def test_links_are_not_set_against_a_run_whose_folder_is_gone(verify, tmp_path):
    record = make_record([("epoch1.pt", b"epoch1.pt"), ("epoch2.pt", b"epoch2.pt")], **SAME_START)
    done = verify(linking("epoch1.pt"), runs=1, reference=(tmp_path / "nowhere", record))
    assert done.found.judgement.verdict is Verdict.IDENTICAL


def test_two_run_at_once_on_two_engines(verify):
    meeting = threading.Barrier(2, timeout=10)

    def program(call):
        meeting.wait()
        return writing("m", "1")(call)

    done = verify(program, runs=4, engines=2)
    assert done.found.judgement.verdict is Verdict.IDENTICAL
    assert sorted(row.number for row in done.rows) == [1, 2, 3, 4]


def test_what_still_runs_is_stopped_when_another_fails(verify):
    meeting, ended = threading.Barrier(2, timeout=10), threading.Event()
    numbers, asked = count(), []

    def program(call):
        meeting.wait()
        if next(numbers) == 0:
            return 1
        ended.wait(10)
        return 137

    def stop(self, *, gently=False):
        asked.append(gently)
        if not gently:  # a program that does not listen
            ended.set()

    Engine.stop_containers = stop
    try:
        done = verify(program, runs=2, engines=2)
    finally:
        del Engine.stop_containers
    assert asked[:3] == [True, True, False]
    assert len(done.rows) == 1


def test_cost_is_measured_between_the_runs(verify):
    done = verify(writing("m", "1"), off=True, runs=2)
    assert [row.off for row in done.rows] == [False, True, False, True]
    assert describe_row(done.rows[1], 2).startswith("run off  ")
    # The engine in memory takes no time at all.
    assert done.found.cost is None
    assert len(done.found.rows) == 2


def keep_run(folder, text, **changes):
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "m.json").write_text(text)
    record = make_record([("m.json", text.encode())], **changes)
    (folder / "run.json").write_text(format_record(record))
    return folder, record


SAME_START = {"seed": 1, "inputs": {}, "level": "bitwise"}


def test_against_an_earlier_run(verify, tmp_path):
    earlier = keep_run(tmp_path / "old", "1", **SAME_START)
    assert verify(writing("m.json", "1"), runs=1, reference=earlier).found.judgement.verdict is Verdict.IDENTICAL
    done = verify(writing("m.json", "2"), runs=1, reference=earlier, started=NOW.replace(hour=9))
    assert done.found.judgement.verdict is Verdict.DIFFERENT
    assert "1 against 2" in done.text


def test_against_a_run_of_another_image_differences_are_not_comparable(verify, tmp_path):
    earlier = keep_run(tmp_path / "old", "1", **{**SAME_START, "image_digest": "sha256:" + "9" * 64})
    done = verify(writing("m.json", "2"), runs=1, reference=earlier)
    assert done.found.judgement.verdict is Verdict.NOT_COMPARABLE
    assert "image: sha256:999999999999 against sha256:111111111111" in done.text


def test_against_a_record_alone_only_digests_are_compared(verify, tmp_path):
    _, record = keep_run(tmp_path / "old", "1", **SAME_START)
    found = verify(writing("m.json", "2"), runs=1, reference=(tmp_path / "nowhere", record)).found
    assert found.comparisons[0].files[0][1].note == "only its digest is known, and that differs"


def test_a_record_that_names_files_elsewhere_gets_none_of_them(verify, tmp_path):
    (tmp_path / "secret").write_text("1")
    folder, _ = keep_run(tmp_path / "old", "1", **SAME_START)
    record = make_record([("../../secret", b"1")], **SAME_START)

    def program(call):
        with suppress(OSError):
            (output_of(call) / "../../secret").write_text("2")
        return 0

    found = verify(program, runs=1, reference=(folder, record)).found
    assert found.comparisons[0].missing == ("../../secret",)


def test_a_reference_is_found_by_run_or_by_verification(verify, tmp_path):
    done = verify(writing("m.json", "1"))
    state = tmp_path
    for name in (done.found.id, str(done.found.path), done.rows[0].record.id):
        assert find_reference(name, state)[1] == done.rows[0].record


def test_a_failed_run_is_no_reference(tmp_path):
    keep_run(tmp_path / "runs" / "old", "1", exit_code=3)
    with pytest.raises(UsageError, match="failed, so there is nothing to repeat"):
        find_reference("old", tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": 1}, "agrees with itself"),
        ({"cost": True}, "disturb"),
        ({"cost": True, "jobs": 1}, "tracing takes time"),
    ],
)
def test_options_that_make_no_sense(changes, message):
    options = VerifyOptions(runs=2, jobs=2, against="", tolerance=None, cost=False, trace=True, gpus=())
    options.check()
    with pytest.raises(UsageError, match=message):
        replace(options, **changes).check()


def test_contributions_are_compared_by_their_order(verify):
    head = "feature,importance,method,importance_type,data_split,metric,seed\n"
    tables = [
        head
        + "".join(f"{name},{value},gain,total_gain,train,auc,7\n" for name, value in zip("abc", values, strict=True))
        for values in ((3, 2, 1), (3, 2, 1.5), (2, 3, 1))
    ]
    found = verify(writing("contributions.csv", *tables), runs=3).found
    assert "contributions: Spearman 0.5, top 3: 3 the same (the least of 2 comparisons)" in found.notes
    assert [one["agreements"][0]["spearman"] for one in found.to_json()["contributions"]] == [1, 0.5]


def test_runs_without_contributions_say_nothing_of_them(verify):
    found = verify(writing("m.json", "{}")).found
    assert found.to_json()["contributions"] == []
    assert found.notes == ()
