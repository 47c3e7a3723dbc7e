"""Shuffling column by column on an engine in memory: what is run, scored, kept and said."""

import csv
import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from made_records import HOST, make_record
from typer.testing import CliRunner

from reprobox.cli import app
from reprobox.contribution_flow import (
    PermuteOptions,
    check_metric,
    choose_columns,
    find_contributions,
    find_table,
    split_name,
)
from reprobox.contributions.predictions import read_values
from reprobox.contributions.read import read_contributions
from reprobox.contributions.scores import METRICS
from reprobox.contributions.sheet import open_sheet
from reprobox.contributions.text import describe_contributions
from reprobox.contributions.write import format_meta, format_table
from reprobox.engines.fake import FakeEngine
from reprobox.errors import RunError, UsageError
from reprobox.lock import ArchiveBase, Lock, PythonTarget
from reprobox.permutation import Permutation, permute
from reprobox.plan import make_plan
from reprobox.records import EarlierRun
from reprobox.run import RunRequest, write_record
from reprobox.spec.load import parse_spec

SPEC = """reprobox: 1
name: x
seed: 32
inputs:
  test: {path: test.csv, sha256: HASH}
stages:
  predict: {command: python predict.py, outputs: [predictions.csv]}
""".replace("HASH", "0" * 64)
START = datetime(2026, 11, 21, 8, 45, tzinfo=UTC)
ROWS = [(at, at * 7 % 20 / 2, at * 3 % 20 / 4, at % 3) for at in range(20)]
TABLE = "id,strong,weak,unused\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in ROWS)
LABELS = "id,y\n" + "".join(f"{a},{3 * b + c}\n" for a, b, c, _ in ROWS)


class Engine(FakeEngine):
    """Runs a program for whatever image is named."""

    def _get(self, reference):
        return SimpleNamespace(env={}, command=((), ()), image=SimpleNamespace(diff_ids=()))


def find(call, target):
    return next(mount.source for mount in call.mounts if mount.target == target)


def predict(call):
    """The model y = 3 strong + weak, which writes the rows' ids beside its predictions."""
    with find(call, "/input/test").open() as stream:
        rows = list(csv.DictReader(stream))
    lines = [f"{row['id']},{3 * float(row['strong']) + float(row['weak'])}\n" for row in rows]
    (find(call, "/output") / "predictions.csv").write_text("id,predicted\n" + "".join(lines))
    return 0


class Watch:
    def __init__(self):
        self.found = None
        self.scores = {}

    def estimate(self, found):
        self.found = found

    def score(self, column, importances):
        self.scores[column] = importances


@pytest.fixture
def request_run(tmp_path):
    (tmp_path / "test.csv").write_text(TABLE)
    (tmp_path / "labels.csv").write_text(LABELS)
    spec = parse_spec(SPEC, "spec.yaml", None)
    base, python = ArchiveBase("root.tar", "0" * 64), PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
    plan = make_plan(spec, Lock("1", 1, "", (), base, python, (), ()), ())
    return RunRequest(
        image="x",
        image_digest="sha256:" + "1" * 64,
        plan=plan,
        spec=spec,
        project=tmp_path,
        runs=tmp_path / "scratch",
        stages=plan.stages,
        command=(),
        gpus=(),
        caller=(1000, 1000),
        host=HOST,
        started=START,
    )


@pytest.fixture
def shuffle(request_run, tmp_path):
    """A function: a program and settings -> what came of it, and who watched."""

    def run(program=predict, engines=1, labels=True, columns=None, **settings):
        shutil.rmtree(request_run.runs, ignore_errors=True)
        sheet = open_sheet(tmp_path / "test.csv")
        wanted = Permutation(
            run=request_run,
            sheet=sheet,
            target="/input/test",
            columns=tuple(range(len(sheet.columns))) if columns is None else columns,
            named=columns is not None,
            repeats=settings.get("repeats", 3),
            predictions=settings.get("predictions", ""),
            column="",
            labels=read_values(tmp_path / "labels.csv", "") if labels else None,
            metric=settings.get("metric"),
            split="test",
            now=ticking(),
            progress=tmp_path / "unfinished.json",
        )
        watch = Watch()
        return permute(wanted, [Engine(program) for _ in range(engines)], watch), watch

    return run


def ticking():
    times = iter(range(10_000))
    lock = threading.Lock()

    def now():
        with lock:
            return START + timedelta(seconds=next(times))

    return now


def importances(found):
    return {row.feature: row.importance for row in found.contributions.rows}


def test_what_matters_most_comes_first_and_what_is_unused_is_exactly_zero(shuffle):
    found, watch = shuffle()
    assert [row.feature for row in found.contributions.rows][:2] == ["strong", "weak"]
    assert importances(found)["unused"] == importances(found)["id"] == 0
    assert found.baseline == 0
    assert (watch.found.columns, watch.found.repeats, watch.found.metric) == (4, 3, "rmse")
    row = found.contributions.rows[0]
    assert (row.method, row.importance_type, row.data_split) == ("permutation", "increase in rmse", "test")
    assert (row.metric, row.n_repeats, row.seed) == ("rmse", 3, 32)
    assert row.std > 0


def test_it_repeats_and_at_once_it_is_the_same(shuffle):
    one, _ = shuffle()
    assert shuffle()[0].values == one.values
    assert shuffle(engines=3)[0].values == one.values


def test_nothing_stays_of_the_runs(shuffle, tmp_path):
    shuffle()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_repeat_s_shuffle_does_not_depend_on_what_else_is_shuffled(shuffle):
    assert shuffle(columns=(2,))[0].values == {"weak": shuffle()[0].values["weak"]}


def test_the_metric_that_is_asked_for_counts(shuffle):
    found, _ = shuffle(metric=METRICS["r2"])
    assert found.baseline == 1
    assert found.contributions.rows[0].importance_type == "decrease in r2"


def test_without_labels_the_shift_of_the_predictions_counts(shuffle):
    found, watch = shuffle(labels=False)
    assert [row.feature for row in found.contributions.rows][:2] == ["strong", "weak"]
    assert importances(found)["unused"] == 0
    assert (found.baseline, watch.found.baseline) == (None, None)
    row = found.contributions.rows[0]
    assert (row.importance_type, found.contributions.sign) == ("mean prediction shift", "absolute")
    assert row.metric.startswith("not applicable: without labels there is no score")


def test_one_repeat_has_no_spread(shuffle):
    found, _ = shuffle(repeats=1)
    assert {row.std for row in found.contributions.rows} == {None}


def test_the_estimate_counts_every_run_that_is_to_come(shuffle):
    estimate = shuffle(engines=2)[1].found
    assert estimate.total == (4 * 3 + 1) * estimate.seconds / 2


def test_a_key_that_ties_rows_together_is_left_out(shuffle, tmp_path):
    header, *lines = LABELS.splitlines()
    (tmp_path / "labels.csv").write_text("\n".join([header, *reversed(lines)]))
    found, watch = shuffle()
    assert watch.found.key == "id"
    assert set(importances(found)) == {"strong", "weak", "unused"}
    assert found.baseline == 0
    assert set(importances(shuffle(columns=(0, 1))[0])) == {"id", "strong"}


def test_a_table_of_keys_alone_has_nothing_to_shuffle(shuffle, tmp_path):
    (tmp_path / "test.csv").write_text("id\n" + "".join(f"{at}\n" for at in range(20)))

    def predict_backwards(call):
        lines = [f"{at},{at}\n" for at in reversed(range(20))]
        (find(call, "/output") / "predictions.csv").write_text("id,predicted\n" + "".join(lines))
        return 0

    with pytest.raises(UsageError, match="column 'id' ties predictions to labels, and there is no other to shuffle"):
        shuffle(predict_backwards)


def test_an_input_that_predict_does_not_read_is_told(shuffle):
    def constant(call):
        (find(call, "/output") / "predictions.csv").write_text("predicted\n" + "1\n" * 20)
        return 0

    with pytest.raises(UsageError, match="does not read them there, or reads features that an earlier stage made"):
        shuffle(constant)


def test_predictions_that_do_not_repeat_are_warned_of(shuffle):
    runs = iter(range(1000))

    def noisy(call):
        code = predict(call)
        path = find(call, "/output") / "predictions.csv"
        path.write_text(path.read_text().replace("\n0,", f"\n0,{next(runs)}", 1))
        return code

    assert "a part of every number is noise" in shuffle(noisy)[0].warnings[0]
    assert shuffle()[0].warnings == ()


def test_where_predict_fails_its_last_words_are_told_and_the_column(shuffle):
    def strict(call):
        if find(call, "/input/test").read_text().splitlines()[1].startswith("0,"):
            return predict(call)
        call.write("stderr", b"Traceback\nids must be in order\x1b[2J\n")
        return 3

    with pytest.raises(RunError) as caught:
        shuffle(strict, columns=(0,))
    assert "predict failed with exit code 3, with id shuffled" in caught.value.message
    assert "ids must be in order\\x1b[2J" in caught.value.message


def test_fewer_predictions_than_before_are_told(shuffle):
    def dropping(call):
        predict(call)
        path = find(call, "/output") / "predictions.csv"
        if find(call, "/input/test").read_text() != TABLE:
            path.write_text("\n".join(path.read_text().splitlines()[:-1]))
        return 0

    with pytest.raises(RunError, match="predict left 19 predictions, and 20 before"):
        shuffle(dropping, labels=False)


def test_a_prediction_that_becomes_no_number_is_told(shuffle):
    def breaking(call):
        predict(call)
        path = find(call, "/output") / "predictions.csv"
        if find(call, "/input/test").read_text() != TABLE:
            path.write_text(path.read_text().rpartition(",")[0] + ",nan\n")
        return 0

    with pytest.raises(RunError, match="no finite number, and only finite ones before"):
        shuffle(breaking, labels=False)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"model.bin": "x"}, "predict left no CSV or TSV"),
        ({"a.csv": "y\n1\n", "b.tsv": "y\n1\n"}, "predict left these tables: a.csv, b.tsv"),
        ({"p.csv": "y\n\x00\n"}, "/output/p.csv is no text: a NUL in line 2, on the input as it is"),
    ],
)
def test_predictions_that_cannot_be_found_or_read_are_told(shuffle, files, said):
    def other(call):
        for name, text in files.items():
            (find(call, "/output") / name).write_text(text)
        return 0

    with pytest.raises((UsageError, RunError)) as caught:
        shuffle(other)
    assert said in caught.value.message


def test_one_that_ended_early_is_gone_on_with(shuffle, tmp_path):
    made, known = [], []

    def picky(call):
        made.append(call)
        if len(made) == 9 and not known:  # the baseline's two, all columns shuffled, and five of the twelve
            return 1
        return predict(call)

    whole, _ = shuffle()
    (tmp_path / "unfinished.json").unlink()
    with pytest.raises(RunError):
        shuffle(picky)
    made.clear()
    known.append(5)
    again, watch = shuffle(picky)
    assert (watch.found.known, len(made)) == (5, 2 + 1 + 12 - 5)
    assert again.values == whole.values
    assert set(watch.scores) == {"strong", "weak", "unused"}


@pytest.mark.parametrize("change", ["labels", "predictions", "damaged"])
def test_what_was_found_out_about_something_else_is_nothing(shuffle, tmp_path, change):
    def other(call):
        predict(call)
        path = find(call, "/output") / "predictions.csv"
        path.write_text(path.read_text().replace(",0.0", ",0.5"))
        return 0

    shuffle()
    if change == "labels":
        (tmp_path / "labels.csv").write_text(LABELS.replace("0,", "0,1"))
    elif change == "damaged":
        (tmp_path / "unfinished.json").write_text("{")
    _, watch = shuffle(other if change == "predictions" else predict)
    assert watch.found.known == 0


@pytest.mark.parametrize("name", ["out/passwd", "../record/x.csv", "/etc/passwd"])
def test_predictions_outside_of_the_outputs_are_not_read(shuffle, name):
    def linking(call):
        (find(call, "/output") / "out").symlink_to("/etc")
        return predict(call)

    with pytest.raises(UsageError, match="leads out of /output"):
        shuffle(linking, predictions=name)


def test_what_is_written_is_read_back(shuffle, tmp_path):
    found, _ = shuffle()
    (tmp_path / "c.csv").write_text(format_table(found.contributions), newline="")
    (tmp_path / "m.json").write_text(format_meta(found.contributions))
    read = read_contributions(tmp_path / "c.csv", tmp_path / "m.json")
    assert read.rows == found.contributions.rows
    assert (read.sign, read.library) == (found.contributions.sign, found.contributions.library)


def test_a_name_with_a_carriage_return_is_read_back(shuffle, tmp_path):
    contributions = shuffle()[0].contributions
    named = replace(contributions, rows=(replace(contributions.rows[0], feature="a\rb"),))
    (tmp_path / "c.csv").write_text(format_table(named), newline="")
    assert read_contributions(tmp_path / "c.csv", None).rows == named.rows


def test_people_see_what_the_numbers_mean(shuffle):
    lines = describe_contributions(shuffle()[0].contributions).splitlines()
    assert lines[0].startswith(
        "what     increase in rmse, method permutation, on test, 3 repeats, metric rmse, seed 32, reprobox "
    )
    assert lines[1].split()[:2] == ["1", "strong"]
    assert lines[-1].split() == ["3", "unused", "0", "±", "0"]


OPTIONS = PermuteOptions("", "", "", "", (), 0, 5, 1, "", "", ())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "rmse"}, "needs labels"),
        ({"metric": "acuracy", "labels": "y.csv"}, "did you mean 'accuracy'?"),
        ({"top": 3, "columns": ("a",)}, "exclude each other"),
    ],
)
def test_options_that_contradict_are_refused(changes, said):
    with pytest.raises(UsageError) as caught:
        check_metric(PermuteOptions(**{**vars(OPTIONS), **changes}))
    assert said in str(caught.value)


def spec_with(*inputs):
    lines = "".join(f"  {name}: {{path: {path}, sha256: {'0' * 64}}}\n" for name, path in inputs)
    return parse_spec(f"reprobox: 1\nname: x\nseed: 1\ncommand: x\n{'inputs:' if lines else ''}\n{lines}", "s", None)


def test_the_input_is_the_one_table_there_is(tmp_path):
    spec = spec_with(("model", "m.bin"), ("rows", "t.csv"))
    assert find_table(spec, tmp_path, "") == (tmp_path / "t.csv", "/input/rows")
    assert find_table(spec, tmp_path, "model") == (tmp_path / "m.bin", "/input/model")


def test_a_table_in_a_folder_has_a_name_of_its_own(tmp_path):
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "t.csv").write_text("a\n1\n")
    spec = spec_with(("data", "data"))
    expected = (tmp_path / "data" / "sub" / "t.csv", "/input/data/sub/t.csv")
    assert find_table(spec, tmp_path, "data") == find_table(spec, tmp_path, "data:sub/t.csv") == expected
    assert find_table(spec, tmp_path, "") == find_table(spec, tmp_path, ":sub/t.csv") == expected


@pytest.mark.parametrize(
    ("inputs", "named", "said"),
    [
        ((), "", "the spec has no inputs"),
        ((("a", "m.bin"),), "", "there is no input that is a CSV or TSV by its name"),
        ((("a", "1.csv"), ("b", "2.csv")), "", "say --input a, --input b"),
        ((("test", "1.csv"),), "tset", "did you mean 'test'?"),
        ((("test", "1.csv"),), "test:x.csv", "input test is a file"),
        ((("data", "data"),), "data", "say --input data:t.csv, --input data:u.csv"),
        ((("data", "data"),), "data:none.csv", "input data has no file 'none.csv'"),
        ((("data", "data"),), "data:../secret.csv", "has no file"),
        ((("data", "data"),), "data:link.csv", "has no file"),
    ],
)
def test_an_input_that_is_not_there_is_missed(tmp_path, inputs, named, said):
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    for name in ("t.csv", "u.csv"):
        (tmp_path / "data" / name).write_text("a\n1\n")
    if named == "data":
        (tmp_path / "data" / "link.csv").unlink()
    with pytest.raises(UsageError) as caught:
        find_table(spec_with(*inputs), tmp_path, named)
    assert said in str(caught.value)


@pytest.fixture
def sheet(tmp_path):
    (tmp_path / "test.csv").write_text(TABLE)
    return open_sheet(tmp_path / "test.csv")


def write_own(folder, values):
    folder.mkdir(parents=True)
    rows = "".join(f"{name},{value},gain,total_gain,train,auc,7\n" for name, value in values.items())
    (folder / "contributions.csv").write_text(
        "feature,importance,method,importance_type,data_split,metric,seed\n" + rows
    )


def choose(sheet, earlier=None, **changes):
    return choose_columns(sheet, PermuteOptions(**{**vars(OPTIONS), **changes}), earlier)


def test_all_columns_are_shuffled_unless_some_are_named(sheet):
    assert choose(sheet) == (0, 1, 2, 3)
    assert choose(sheet, columns=("weak", "strong")) == (1, 2)
    with pytest.raises(UsageError, match="did you mean 'strong'"):
        choose(sheet, columns=("strng",))


def test_a_column_that_is_not_there_is_told_before_anything_is_built(sheet, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC.replace("HASH", "0" * 64))
    done = CliRunner().invoke(app, ["contributions", str(tmp_path / "spec.yaml"), "--permute", "--columns", "strng"])
    assert (done.exit_code, "did you mean 'strong'" in done.output) == (2, True)
    assert not (tmp_path / "spec.lock").exists()


@pytest.mark.parametrize("option", ["--jobs=2", "--repeats=3", "--top=1", "--engine=local", "--gpu=all"])
def test_what_shuffling_takes_is_not_passed_over_without_it(option):
    done = CliRunner().invoke(app, ["contributions", option])
    assert (done.exit_code, "these options go with --permute" in done.output) == (2, True)


def test_a_name_that_could_not_be_read_back_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "test.csv").write_text(f"{'x' * 501},y\n1,2\n3,4\n")
    sheet = open_sheet(tmp_path / "test.csv")
    with pytest.raises(UsageError, match="is no name of at most 500 characters"):
        choose(sheet)
    assert choose(sheet, columns=("y",)) == (1,)


def test_the_top_ones_are_those_of_the_run_itself(sheet, tmp_path):
    write_own(tmp_path / "run" / "output", {"weak": 3, "made of two": 2, "unused": 1, "strong": 0.5})
    earlier = EarlierRun("run", str(tmp_path / "run"), "", (), ())
    assert choose(sheet, earlier, top=2) == (2, 3)
    with pytest.raises(UsageError, match="which left none"):
        choose(sheet, EarlierRun("other", str(tmp_path / "other"), "", (), ()), top=2)


def test_none_of_the_run_s_variables_in_the_table_is_told(sheet, tmp_path):
    write_own(tmp_path / "run" / "output", {"pca0": 3})
    with pytest.raises(UsageError, match="none of the variables"):
        choose(sheet, EarlierRun("run", str(tmp_path / "run"), "", (), ()), top=2)


def test_a_file_may_have_a_colon_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b.csv").write_text("y\n1\n")
    assert split_name("a:b.csv") == ("a:b.csv", "")
    assert split_name("a:b.csv:y") == ("a:b.csv", "y")
    assert split_name("c.csv") == ("c.csv", "")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(SPEC)
    for name in ("20260101-080000-2", "20260101-080000-10", "20250101-080000"):
        write_own(tmp_path / ".reprobox" / "runs" / name / "output", {name: 1})
        write_record(tmp_path / ".reprobox" / "runs" / name, make_record(id=name))
    (tmp_path / ".reprobox" / "runs" / "20260202-080000" / "output").mkdir(parents=True)
    write_own(tmp_path / ".reprobox" / "contributions" / "20260101-080000", {"shuffled": 1})
    return tmp_path


def titles(named):
    return [(one.title, one.contributions.rows[0].feature) for one in find_contributions(named)]


def test_a_project_shows_its_newest(project):
    expected = [("run 20260101-080000-10", "20260101-080000-10"), ("shuffled 20260101-080000", "shuffled")]
    assert titles(project / "spec.yaml") == titles(project) == expected


def test_a_run_is_named_by_id_folder_or_record(project):
    name, folder = "20250101-080000", project / ".reprobox" / "runs" / "20250101-080000"
    for named in (name, folder, folder / "run.json"):
        assert titles(type(project)(named)) == [(f"run {name}", name)]
    assert titles(folder / "output")[0][1] == name


def test_where_there_are_none_it_is_said_how_to_get_some(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    with pytest.raises(UsageError, match="--permute"):
        find_contributions(tmp_path / "spec.yaml")


def test_a_run_that_is_not_there_is_missed(project):
    with pytest.raises(UsageError, match="neither a spec nor a run"):
        find_contributions(type(project)("20250101-080001"))


def test_json_has_every_field(project):
    (found, _) = find_contributions(project)
    data = json.loads(json.dumps(found.to_json()))
    assert (data["status"], data["rows"][0]["method"], data["title"]) == ("computed", "gain", found.title)
