"""Two runs set against each other: what is said first, and what counts as a difference."""

import json
from dataclasses import replace

import pytest
from made_records import HOST, make_record
from test_trace_diff import event, header, tensor, training
from typer.testing import CliRunner

from reprobox.cli import app
from reprobox.diff_text import describe_diff, describe_first
from reprobox.records import RuntimeRecord, StageRecord, Suspect
from reprobox.run import write_record
from reprobox.run_diff import compare_runs


@pytest.fixture
def make_run(tmp_path):
    """A function: id, trace lines by process, outputs and changes of the record -> the run's folder and record."""

    def make(name, traces=(), outputs=(), **changes):
        folder = tmp_path / name
        (folder / "record").mkdir(parents=True)
        (folder / "output").mkdir()
        for number, (process, lines) in enumerate(traces):
            path = folder / "record" / f"trace-{number + 1}-0.jsonl"
            path.write_bytes(header(started=float(number), **process) + b"".join(lines))
        for path, content in outputs:
            (folder / "output" / path).write_bytes(content)
        record = make_record(outputs, **{"id": name, **changes})
        write_record(folder, record)
        return folder, record

    return make


MAIN, WORKER = {}, {"role": "worker", "identity": ["mp:1"]}


def test_the_same_twice(make_run):
    runs = [make_run(name, [(MAIN, training(5))], [("model.npy", b"model")]) for name in "ab"]
    diff = compare_runs(*runs)
    assert diff.same
    assert diff.to_json()["processes"][0]["events"] == 10
    assert describe_diff(diff).splitlines()[2:] == [
        "trace    the same in 10 events, processes traced: 1",
        "verdict  the same results",
    ]


def test_the_first_step_that_differs_is_named_in_every_way(make_run):
    a = make_run("a", [(MAIN, training(9))])
    b = make_run("b", [(MAIN, training(9, change={("grad", 7): 0.5}))])
    diff = compare_runs(a, b)
    assert not diff.same
    assert describe_first(diff) == "train, step 7 of Adam, grad:0.weight: kernel"
    text = describe_diff(diff)
    assert "first    train, step 7 of Adam, grad:0.weight\n" in text
    assert "at most 0.5, relative 0.333, 4194304 ulp, in 1 of the 2 values" in text
    assert "13 events before it the same" in text
    assert "every generator that was looked at had the same state there" in text
    assert "a kernel differed" in text
    found = diff.to_json()["first"]["divergence"]
    assert (found["place"], found["tensor"]) == ({"kind": "step", "source": "Adam", "step": 7}, "grad:0.weight")


def test_the_main_process_goes_before_its_workers(make_run):
    a = make_run("a", [(WORKER, training(5)), (MAIN, training(5))])
    b = make_run("b", [(WORKER, training(5, change={("grad", 2): 1})), (MAIN, training(5, change={("grad", 3): 1}))])
    text = describe_diff(compare_runs(a, b))
    assert "first    train, step 3 of Adam" in text
    assert "also     train, mp:1, step 2 of Adam" in text


def test_an_earlier_stage_goes_before_a_later_one(make_run):
    stages = tuple(StageRecord(name, ("x",), 0, 1.0, None, False, False) for name in ("prepare", "train"))
    prepare = {"stage": "prepare"}
    a = make_run("a", [(MAIN, training(5)), (prepare, training(5))], stages=stages)
    changed = training(5, change={("grad", 2): 1})
    b = make_run("b", [(MAIN, changed), (prepare, changed)], stages=stages)
    assert compare_runs(a, b).first.stage == "prepare"


def test_a_process_that_only_one_run_has_is_a_difference(make_run):
    a = make_run("a", [(MAIN, training(2)), (WORKER, training(2))])
    b = make_run("b", [(MAIN, training(2))])
    diff = compare_runs(a, b)
    assert not diff.same
    assert "train, mp:1, only A has this process" in describe_diff(diff)


def test_a_run_without_a_trace_is_compared_by_the_rest(make_run):
    diff = compare_runs(make_run("a", [(MAIN, training(2))]), make_run("b"))
    assert diff.same
    assert "trace    none" in describe_diff(diff)


def test_states_that_part_without_any_tensor_are_said_and_do_not_count(make_run):
    other = training(5, rng=lambda step: {"numpy": f"n{step}", "torch": f"t{step}" if step < 4 else "x"})
    diff = compare_runs(make_run("a", [(MAIN, training(5))]), make_run("b", [(MAIN, other)]))
    assert diff.same
    assert "random   torch: another state from step 4 of Adam on" in describe_diff(diff)


def test_other_draws_are_said_with_the_generator(make_run):
    other = training(5, change={("grad", 4): 1}, rng=lambda step: {"numpy": f"n{step}", "torch": f"t{step}" * 2})
    text = describe_diff(compare_runs(make_run("a", [(MAIN, training(5))]), make_run("b", [(MAIN, other)])))
    assert "random   torch: another state from step 1 of Adam on" in text
    assert "other random numbers were drawn" in text


def test_a_run_that_stops_earlier_is_said_to(make_run):
    diff = compare_runs(make_run("a", [(MAIN, training(5))]), make_run("b", [(MAIN, training(3))]))
    assert describe_first(diff) == "train, batch 4 of DataLoader: program flow"
    assert "only A has it" in describe_diff(diff)


def test_a_difference_outside_of_the_sample_is_said_by_the_sums(make_run):
    def steps(total):
        more = {"hash": str(total), "sum": total, "shape": [1000]}
        return [event("init", "Adam", 1, {**tensor("param:x", 1.0), **more})]

    diff = compare_runs(make_run("a", [(MAIN, steps(10.0))]), make_run("b", [(MAIN, steps(10.5))]))
    text = describe_diff(diff)
    assert "before the first step of Adam, param:x" in text
    assert "none of the 1 values kept of 1000 differs; the sums are 0.5 apart" in text
    assert "the parameters differed from the start" in text


def test_what_is_printed_for_machines_is_json(make_run):
    nan = [event("mark", "x", 1, tensor("x", value)) for value in (1.0, float("nan"))]
    a, b = (make_run(name, [(MAIN, [line])], metrics={"x": 1.0}) for name, line in zip("ab", nan, strict=True))
    text = json.dumps(compare_runs(a, b).to_json(), allow_nan=False)
    assert json.loads(text)["first"]["divergence"]["distance"]["max_abs"] == "inf"


def test_long_lists_are_cut(make_run):
    a, b = (make_run(name, environment={f"X{i:02}": f"{name}{i}" for i in range(20)}) for name in "ab")
    assert "… and 8 more" in describe_diff(compare_runs(a, b))


def test_outputs_are_compared_by_what_they_say(make_run):
    a = make_run("a", outputs=[("m.json", b'{"x": 1, "y": 2}'), ("t.txt", b"one\n"), ("only", b"")])
    b = make_run("b", outputs=[("m.json", b'{"y": 2, "x": 1}'), ("t.txt", b"two\n")])
    diff = compare_runs(a, b)
    assert [(one.path, one.same) for one in diff.outputs] == [("m.json", True), ("only", False), ("t.txt", False)]
    assert not diff.same


def test_other_bytes_with_the_same_content_are_the_same_results(make_run):
    a, b = make_run("a", outputs=[("m.json", b'{"x": 1}')]), make_run("b", outputs=[("m.json", b'{"x":1}')])
    assert compare_runs(a, b).same


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"image_digest": "sha256:other"}, ("image", "image digest")),
        ({"seed": 33}, ("seed", "seed")),
        ({"switches": {"threads": 2, "tf32": False, "cublas_workspace": ":4096:8"}}, ("seed", "threads")),
        ({"environment": {"PYTHONHASHSEED": "32", "X": "1"}}, ("environment", "X")),
        ({"inputs": {"data": "5" * 64}}, ("inputs", "data")),
        ({"host": replace(HOST, cpu_model="Another CPU")}, ("host", "cpu")),
        ({"network": True}, ("engine", "network")),
        (
            {"runtime": RuntimeRecord(({"backends": {"numpy": {"version": "2.0"}, "x": 3}, "overrides": [1]},), ())},
            ("runtime", "numpy"),
        ),
    ],
)
def test_circumstances_are_named_and_are_no_difference_of_results(make_run, changes, fact):
    diff = compare_runs(make_run("a"), make_run("b", **changes))
    assert [(one.group, one.name) for one in diff.circumstances] == [fact]
    assert diff.same
    assert fact[1] in describe_diff(diff)


def test_what_only_one_processor_has_is_listed(make_run):
    other = make_run("b", host=replace(HOST, cpu_flags=("avx2", "avx512f", "fma")))
    diff = compare_runs(make_run("a"), other)
    assert diff.cpu_flags == ((), ("avx512f",))
    assert "only B's processor has avx512f" in describe_diff(diff)


def test_metrics_and_exit_codes_count(make_run):
    diff = compare_runs(make_run("a", metrics={"loss": 0.5, "acc": 1.0}), make_run("b", metrics={"loss": 0.25}))
    assert [(one.name, one.a, one.b) for one in diff.metrics] == [("acc", 1.0, None), ("loss", 0.5, 0.25)]
    assert not diff.same
    assert not compare_runs(make_run("c"), make_run("d", exit_code=3)).same


def test_a_name_that_leads_out_of_the_folder_is_not_followed(make_run):
    runs = [make_run(name, outputs=[("../secret", name.encode())]) for name in "ab"]
    assert [one.what for one in compare_runs(*runs).outputs] == ["its name leads out of the run's folder"]


def test_links_count_by_where_they_lead(make_run):
    runs = [make_run(name) for name in "abc"]
    for (folder, _), target in zip(runs, ("1.pt", "2.pt", "1.pt"), strict=True):
        (folder / "output" / "best.pt").symlink_to(target)
    assert [one.what for one in compare_runs(*runs[:2]).outputs] == ["a link to 1.pt against a link to 2.pt"]
    assert compare_runs(runs[0], runs[2]).same


def test_suspects_of_both_are_listed_under_a_difference(make_run):
    suspects = (Suspect("os-entropy", "train.py:3", 2, ""),)
    a, b = make_run("a", metrics={"x": 1.0}, suspects=suspects), make_run("b", metrics={"x": 2.0})
    assert "suspect  os-entropy at train.py:3, 2 times" in describe_diff(compare_runs(a, b))


def test_what_a_run_wrote_does_not_reach_the_terminal_as_it_is(make_run):
    name = "grad:\x1b[31m\n"
    lines = [line.replace(b"grad:0.weight", json.dumps(name)[1:-1].encode()) for line in training(3)]
    other = [
        line.replace(b"grad:0.weight", json.dumps(name)[1:-1].encode()) for line in training(3, change={("grad", 2): 1})
    ]
    text = describe_diff(compare_runs(make_run("a", [(MAIN, lines)]), make_run("b", [(MAIN, other)])))
    assert "\x1b" not in text


def test_a_name_in_a_trace_does_not_reach_the_terminal_as_it_is(make_run):
    name = "py\x1b[2J\nverdict  the same results"
    runs = []
    for number in (1, 2):
        lines = [event(name, name, 1, tensor("x", number, shape=[10**4000, 10**4000]), **{name: str(number)})]
        runs.append(make_run(str(number), [({"stage": name, "identity": [name]}, lines)]))
    diff = compare_runs(*runs)
    text = describe_diff(diff)
    assert "random   py\\x1b[2J\\nverdict  the same results: another state from py\\x1b" in text
    assert all(one.isprintable() for one in text.replace("\n", "") + describe_first(diff))
    assert "\nverdict  the same results" not in text


def test_the_command_says_by_its_exit_code_whether_they_differ(make_run, tmp_path, monkeypatch):
    make_run("a", metrics={"x": 1.0})
    make_run("b", metrics={"x": 1.0})
    make_run("c", metrics={"x": 2.0})
    runs = tmp_path / ".reprobox" / "runs"
    runs.mkdir(parents=True)
    for name in "abc":
        (tmp_path / name).rename(runs / name)
    monkeypatch.chdir(tmp_path)
    call = CliRunner().invoke
    assert call(app, ["diff", "a", str(runs / "b")]).exit_code == 0
    done = call(app, ["diff", "a", str(runs / "c" / "run.json"), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["metrics"]) == (1, [{"name": "x", "a": 1.0, "b": 2.0}])
    assert call(app, ["diff", "a", "nowhere"]).exit_code == 2
