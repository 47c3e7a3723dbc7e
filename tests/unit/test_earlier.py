"""Which run a stage on its own goes on from, and what it takes from it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from made_records import make_record

from reprobox.earlier import EarlierRequest, describe_earlier, find_earlier_run
from reprobox.errors import UsageError
from reprobox.outputs import copy_outputs, list_outputs
from reprobox.plan import StagePlan
from reprobox.record_text import parse_record, read_record
from reprobox.records import EarlierRun, OutputFile, format_record
from reprobox.run import write_record

PLANNED = (
    StagePlan("prepare", ("python", "prepare.py"), ("table.npz",)),
    StagePlan("train", ("python", "train.py"), ("model.pt",)),
    StagePlan("predict", ("python", "predict.py"), ("*.csv",)),
)
LEFT = (("table.npz", b"t"), ("model.pt", b"m"), ("a.csv", b"c"), ("log.json", b"l"))


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def leave_run(runs, name, stages, outputs=LEFT, **changes):
    """Write a run in which these stages ended with these exit codes."""
    one = make_record().stages[0]
    records = tuple(replace(one, name=stage, exit_code=code) for stage, code in stages.items())
    record = make_record(outputs, id=name, stages=records, **changes)
    (runs / name).mkdir(parents=True)
    write_record(runs / name, record)
    return record


def find(runs, stage, named=""):
    sample = make_record()
    plan = SimpleNamespace(stages=PLANNED, seed=sample.seed)
    (chosen,) = (planned for planned in PLANNED if planned.name == stage)
    request = EarlierRequest(plan, chosen, sample.image_digest, sample.inputs, runs, named)
    return find_earlier_run(request)


WHOLE = {"prepare": 0, "train": 0, "predict": 0}


def test_the_first_stage_starts_from_nothing(runs):
    leave_run(runs, "20260101-080000", WHOLE)
    assert find(runs, "prepare") is None
    with pytest.raises(UsageError, match="prepare is the first stage"):
        find(runs, "prepare", "20260101-080000")


def test_the_newest_run_whose_earlier_stages_succeeded_is_taken(runs):
    for name in ("20260101-080000", "20260101-080000-9", "20260101-080000-10"):
        leave_run(runs, name, WHOLE)
    leave_run(runs, "20260101-080001", {"prepare": 1})
    leave_run(runs, "20260101-080002", {"command": 0})
    assert find(runs, "train").run == "20260101-080000-10"


def test_a_later_stage_that_failed_there_is_no_hindrance(runs):
    leave_run(runs, "20260101-080000", {"prepare": 0, "train": 1})
    assert find(runs, "train").run == "20260101-080000"
    with pytest.raises(UsageError, match="predict goes on from what prepare and train left, and no run of this image"):
        find(runs, "predict")


@pytest.mark.parametrize(
    "changes",
    [
        {"image_digest": "sha256:" + "9" * 64},
        {"seed": 33},
        {"inputs": {"data": "5" * 64}},
        {"exit_code": 130},
        {"outputs": LEFT[1:]},
    ],
)
def test_a_run_of_anything_else_or_without_what_it_should_leave_is_passed_over(runs, changes):
    leave_run(runs, "20260101-080000", WHOLE, **changes)
    with pytest.raises(UsageError, match="run the earlier stages first: `reprobox run --stage prepare`"):
        find(runs, "train")


def test_a_named_run_may_be_of_another_image_which_is_said(runs):
    leave_run(runs, "20260101-080000", WHOLE, image_digest="sha256:" + "9" * 64)
    found = find(runs, "train", "20260101-080000")
    assert found.image_digest == "sha256:" + "9" * 64
    line = describe_earlier(SimpleNamespace(stage=PLANNED[1], image_digest="sha256:1"), found)
    assert line == "train starts with a copy of 2 outputs of run 20260101-080000, which was of another image"


def test_a_named_run_must_have_what_is_needed(runs):
    leave_run(runs, "20260101-080000", {"prepare": 0, "train": 1})
    with pytest.raises(UsageError, match="in run 20260101-080000, train did not succeed"):
        find(runs, "predict", str(runs / "20260101-080000"))
    with pytest.raises(UsageError, match="there is no run nowhere"):
        find(runs, "train", "nowhere")


def test_what_the_stage_or_a_later_one_is_to_leave_is_not_taken(runs):
    leave_run(runs, "20260101-080000", WHOLE)
    assert [file.path for file in find(runs, "train").outputs] == ["table.npz", "log.json"]
    assert [file.path for file in find(runs, "predict").outputs] == ["table.npz", "model.pt", "log.json"]


def test_stages_run_one_by_one_add_up(runs):
    before = EarlierRun("20260101-070000", "/elsewhere", "sha256:1", ("prepare",), ())
    leave_run(runs, "20260101-080000", {"train": 0}, earlier=before)
    found = find(runs, "predict")
    assert (found.run, found.stages) == ("20260101-080000", ("prepare", "train"))
    assert read_record(runs / "20260101-080000" / "run.json").earlier == before


def test_a_damaged_record_is_passed_over(runs):
    leave_run(runs, "20260101-080000", WHOLE)
    (runs / "20260101-080001").mkdir()
    (runs / "20260101-080001" / "run.json").write_text("{")
    assert find(runs, "train").run == "20260101-080000"


def test_a_record_from_before_there_was_this_is_read_and_a_wrong_one_refused():
    text = format_record(make_record())
    assert parse_record(text.replace(',\n "earlier": null', "")).earlier is None
    with pytest.raises(ValueError, match="earlier"):
        parse_record(text.replace('"earlier": null', '"earlier": {"run": 7}'))


@pytest.fixture
def left(tmp_path):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "a.txt").write_text("a")
    (source / "b.sh").write_text("b")
    (source / "b.sh").chmod(0o755)
    return source


def test_outputs_are_copied_and_not_linked(left, tmp_path):
    files, _ = list_outputs(left)
    copy_outputs(files, left, tmp_path / "new")
    assert list_outputs(tmp_path / "new")[0] == files
    assert (tmp_path / "new" / "b.sh").stat().st_mode & 0o777 == 0o755
    (tmp_path / "new" / "b.sh").write_text("other")
    assert (left / "b.sh").read_text() == "b"


def test_an_output_that_was_changed_since_or_is_gone_is_refused(left, tmp_path):
    files, _ = list_outputs(left)
    (left / "b.sh").write_text("c")
    with pytest.raises(UsageError, match=r"b\.sh is not what its run left there"):
        copy_outputs(files, left, tmp_path / "new")
    (left / "b.sh").unlink()
    with pytest.raises(UsageError, match=r"b\.sh cannot be copied: No such file"):
        copy_outputs(files, left, tmp_path / "newer")


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link/secret", "link"])
def test_a_record_cannot_name_a_file_outside_its_run(left, tmp_path, path):
    (tmp_path / "secret").write_text("s")
    (left / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match=r"leads out of that folder|cannot be copied"):
        copy_outputs([OutputFile(path, "0" * 64, 1)], left, tmp_path / "new")
    assert not (tmp_path / "new" / "link" / "secret").exists()
