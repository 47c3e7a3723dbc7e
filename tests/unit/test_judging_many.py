"""Many entries: rows, ranks, what is kept of them, and what a person sees."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from made_bundles import make_bundle

from reprobox import cli_judge
from reprobox.bundle.read import read_heading
from reprobox.errors import UsageError
from reprobox.judging import children
from reprobox.judging.batch import BatchRow, format_batch, format_table, make_row, rank_rows
from reprobox.judging.children import list_bundles
from reprobox.judging.display import Display
from reprobox.judging.judge import JudgeOptions
from reprobox.judging.judgement import describe_file
from reprobox.judging.summary import describe_counts, format_page, write_summary
from reprobox.judging.terms import Contest, Metric

CONTEST = Contest(name="Food", metric=Metric("accuracy"))


def answer(**changed):
    scores = [{"metric": "loss", "claimed": 0.5, "judged": 0.5}, {"metric": "accuracy", "claimed": 0.9, "judged": 0.8}]
    values = {"entry": "forest", "verdict": "DIFFERENT", "reason": "model.pt differs", "bundle": "sha256:ab"}
    return {**values, "seconds": 12.5, "scores": scores, **changed}


def row(entry, claimed=None, judged=None, outcome="IDENTICAL", **changed):
    return BatchRow(f"{entry}.reprobox", entry, outcome, "", 0, claimed=claimed, judged=judged, **changed)


def test_a_row_has_the_contests_own_metric():
    made = make_row("forest.reprobox", 1, answer(), CONTEST, kept=False)
    assert (made.metric, made.claimed, made.judged) == ("accuracy", 0.9, 0.8)
    assert (made.entry, made.outcome, made.exit_code, made.seconds) == ("forest", "DIFFERENT", 1, 12.5)


def test_without_a_metric_of_the_contest_the_first_is_taken():
    assert make_row("f", 0, answer(), Contest(), kept=False).metric == "loss"
    assert make_row("f", 0, answer(scores=[]), Contest(), kept=False).claimed is None


@pytest.mark.parametrize(
    ("code", "said", "outcome"),
    [
        (8, {"error": {"message": "the bundle is refused"}}, "REFUSED"),
        (5, {"error": {"message": "no engine"}}, "NOT JUDGED"),
        (-9, {}, "NOT JUDGED"),
        (0, {"error": "a text"}, "NOT JUDGED"),
    ],
)
def test_what_was_not_judged_is_told_from_what_was_refused(code, said, outcome):
    made = make_row("f", code, said, CONTEST, kept=False)
    assert made.outcome == outcome
    assert made.reason == (
        said["error"]["message"] if isinstance(said.get("error"), dict) else "it ended without an answer"
    )


@pytest.mark.parametrize(("higher", "order"), [(True, ["b", "a", "c", "d"]), (False, ["a", "b", "c", "d"])])
def test_rows_stand_in_the_order_of_what_the_judge_found(higher, order):
    rows = [row("a", 0.95, 0.80), row("b", 0.90, 0.90), row("c", 0.85, None), row("d", None, None)]
    ranked = rank_rows(rows, Contest(metric=Metric("accuracy", higher)))
    assert [one.entry for one in ranked] == order
    places = {one.entry: (one.rank_claimed, one.rank_judged) for one in ranked}
    assert places["a"] == ((1, 2) if higher else (3, 1))
    assert places["c"][1] is None
    assert places["d"] == (None, None)
    assert next(one for one in ranked if one.entry == "a").moved


def test_equal_scores_share_a_place():
    ranked = rank_rows([row("a", 1.0, 1.0), row("b", 1.0, 1.0), row("c", 0.5, 0.5)], CONTEST)
    assert [one.rank_judged for one in ranked] == [1, 1, 3]


def test_without_a_metric_the_order_stays_and_nobody_has_a_place():
    rows = (row("b", 1.0, 1.0), row("a", 2.0, 2.0))
    assert rank_rows(rows, Contest()) == rows


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", " =1"])
def test_no_cell_is_a_formula(start):
    made = BatchRow("f", start, "IDENTICAL", start, 0)
    cells = list(csv.reader(io.StringIO(format_table([made]).decode())))[1]
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)


def test_the_tables_cells_are_the_rows():
    lines = list(csv.DictReader(io.StringIO(format_table([row("a", 0.5, 0.25, rank_claimed=2)]).decode())))
    assert lines[0]["entry"] == "a"
    assert (lines[0]["claimed"], lines[0]["judged"], lines[0]["rank_claimed"]) == ("0.5", "0.25", "2")
    assert lines[0]["seconds"] == ""


def test_the_page_shows_every_row_and_runs_nothing_of_the_entrants():
    hostile = row("<script>alert(1)</script>", 0.5, 0.25, outcome="DIFFERENT", bundle="sha256:" + "ab" * 32)
    page = format_page([hostile, row("b")], Contest(name="<b>Food & drink</b>", metric=Metric("<i>f1</i>")))
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;Food &amp; drink&lt;/b&gt;" in page
    assert not {"<script", "<b>", "<i>", "http://", "https://"} & set(page.split())
    assert "<script" not in page
    assert 'class="outcome bad"' in page
    assert ">0.25<" in page


def test_the_summary_is_kept_in_three_forms(tmp_path):
    write_summary([row("a", 0.5, 0.5)], CONTEST, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["summary.csv", "summary.html", "summary.json"]
    kept = json.loads((tmp_path / "summary.json").read_text())
    assert kept == json.loads(format_batch([row("a", 0.5, 0.5)], CONTEST))
    assert kept["schema_version"] == 1
    assert kept["entries"][0]["entry"] == "a"


def test_outcomes_are_counted():
    assert describe_counts([row("a")]) == "1 entry: 1 IDENTICAL"
    rows = [row("a"), row("b"), row("c", outcome="REFUSED")]
    assert describe_counts(rows) == "3 entries: 2 IDENTICAL, 1 REFUSED"


def test_bundles_are_taken_from_folders_too(tmp_path):
    for name in ("b.reprobox", "a.reprobox", "notes.txt"):
        (tmp_path / name).touch()
    other = tmp_path / "elsewhere" / "c.reprobox"
    assert list_bundles([tmp_path, other], ".reprobox") == (tmp_path / "a.reprobox", tmp_path / "b.reprobox", other)


def test_two_bundles_of_one_name_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(UsageError, match="have the same name"):
        list_bundles([Path("x/a.reprobox"), Path("y/a.reprobox")], ".reprobox")
    with pytest.raises(UsageError, match=r"holds no file \*\.reprobox"):
        list_bundles([tmp_path], ".reprobox")


def test_without_a_terminal_there_is_a_line_for_each_that_is_done(capfd):
    import sys

    files = (Path("a.reprobox"), Path("b.reprobox"))
    with Display(files, sys.stderr, live=False, color=False) as display:
        display.say(files[0], "rung 1")
        display.finish(BatchRow("a.reprobox", "a", "IDENTICAL", "all the \x1b[31msame", 0, kept=True))
    (line,) = capfd.readouterr().err.splitlines()
    assert line.split() == ["1/2", "a.reprobox", "IDENTICAL", "judged", "before;", "all", "the", "\\x1b[31msame"]


def test_on_a_terminal_there_is_a_table_of_all(capfd):
    stream = io.StringIO()
    files = (Path("a.reprobox"), Path("b.reprobox"))
    with Display(files, stream, live=True, color=False) as display:
        display.say(files[0], "rung 1")
        display.finish(BatchRow("a.reprobox", "a", "CONSISTENT", "", 0, metric="f1", claimed=0.5, judged=0.25))
    shown = stream.getvalue()
    assert "CONSISTENT" in shown
    assert "f1 0.5 → 0.25" in shown
    assert "waiting" in shown


def test_a_terminal_that_goes_away_ends_no_judging(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream, Display((Path("a.reprobox"),), stream, live=True, color=False) as display:
        os.close(ours)
        display.finish(BatchRow("a.reprobox", "a", "IDENTICAL", "", 0))
        display._live.refresh()


def test_a_long_reason_leaves_name_and_verdict_whole(terminal):
    files = (Path("a.reprobox"), Path(f"{'long' * 20}.reprobox"))
    with Display(files, terminal, live=True, color=False) as display:
        display.finish(BatchRow("a.reprobox", "a", "NOT COMPARABLE", "for many reasons " * 20, 1))
        display.say(files[1], "rung 1")
    first, second = terminal.lines
    assert first.startswith("a.reprobox ")
    assert " NOT COMPARABLE  for many reasons for" in first
    assert second.startswith("longlonglonglonglonglongl…  judging         rung 1")


def test_of_more_than_fit_those_being_judged_are_seen_and_all_in_the_end(terminal):
    files = tuple(Path(f"{number:02}.reprobox") for number in range(40))
    with Display(files, terminal, live=True, color=False) as display:
        for path in files[:30]:
            display.finish(BatchRow(path.name, "a", "IDENTICAL", "", 0))
        display.say(files[30], "rung 2")
        display.say(files[31], "rung 1")
        display._live.refresh()
        shown = terminal.lines
    assert shown[0] == "30 of 40 judged"
    assert [line.split() for line in shown[1:4]] == [
        ["30.reprobox", "judging", "rung", "2"],
        ["31.reprobox", "judging", "rung", "1"],
        ["32.reprobox", "waiting"],
    ]
    assert [line.split()[0] for line in terminal.lines] == [path.name for path in files[-23:]]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row("a")], 0),
        ([row("a"), BatchRow("b", "b", "DIFFERENT", "", 1)], 1),
        ([row("a"), BatchRow("b", "", "REFUSED", "", 8)], 1),
        ([row("a"), BatchRow("b", "", "NOT JUDGED", "killed", -9)], 1),
        ([row("a"), BatchRow("b", "", "NOT JUDGED", "no answer", 0)], 1),
    ],
)
def test_many_hold_only_when_each_has_been_judged_and_holds(tmp_path, monkeypatch, rows, code):
    monkeypatch.setattr(children, "judge_all", lambda batch, say, finish: rows)
    options = JudgeOptions(CONTEST, None, rebuild=False, runtime="", gpus=())
    files = tuple(tmp_path / one.file for one in rows)
    assert cli_judge._judge_many(files, tmp_path, options, (), 1, "", as_json=False) == code


def test_other_labels_or_data_are_other_terms(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("labels.csv", "signers", "data/a"):
        (tmp_path / name).write_text("1\n")
    contest = Contest(labels=tmp_path / "labels.csv", inputs={"x": tmp_path / "data"})
    options = JudgeOptions(contest, tmp_path / "signers", rebuild=False, runtime="", gpus=())
    digests = [options.digest, options.digest]
    for name in ("labels.csv", "signers", "data/a"):
        (tmp_path / name).write_text("1\n2\n")
        digests.append(options.digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"reason_keys": ["disk_full"]}, False),
        ({"terms": "sha256:y"}, False),
        ({"file": {"size": 1, "modified_ns": 1}}, False),
    ],
)
def test_what_was_judged_before_is_kept_for_the_same_file_alone(tmp_path, change, kept):
    bundle = make_bundle(tmp_path)
    known = {"verdict": "DIFFERENT", "bundle": read_heading(bundle).digest, "file": describe_file(bundle)}
    (tmp_path / "out" / "tiny").mkdir(parents=True)
    (tmp_path / "out" / "tiny" / "judgement.json").write_text(json.dumps({"terms": "sha256:x", **known, **change}))
    batch = children.Batch((bundle,), tmp_path / "out", CONTEST, "sha256:x", lambda path: (), 1)
    assert (children._find_judgement(batch, bundle) is not None) is kept


def test_a_bundle_that_has_gone_stops_none_of_the_others(tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "judgement.json").write_text('{"verdict": "IDENTICAL"}')
    batch = children.Batch((), tmp_path, CONTEST, "sha256:x", lambda path: (), 1)
    assert children._find_judgement(batch, tmp_path / "gone.reprobox") is None


def test_a_metrics_name_moves_no_cursor():
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with Display((Path("a.reprobox"),), out, live=False, color=False) as display:
        display.finish(row("a", 1.0, 1.0, metric="acc\x1b[2J"))
    assert b"acc\\x1b[2J 1" in out.buffer.getvalue()
