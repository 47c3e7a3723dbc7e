"""The contest's score, computed from predictions where the judges have labels."""

import shutil
from dataclasses import replace

import pytest

from reprobox.errors import SpecError
from reprobox.judging.agreement import find_agreement
from reprobox.judging.claim import score_claim
from reprobox.judging.scoring import find_metrics
from reprobox.judging.terms import Contest, Metric, read_contest

LABELS = "id,label\n1,cat\n2,dog\n3,cat\n4,dog\n"


@pytest.fixture
def contest(tmp_path):
    (tmp_path / "labels.csv").write_text(LABELS)
    text = "contest: 1\nmetric: {name: accuracy}\npredictions: predictions.csv\nlabels: labels.csv\n"
    (tmp_path / "contest.yaml").write_text(text)
    return read_contest(tmp_path / "contest.yaml")


@pytest.fixture
def run(tmp_path):
    def make(text):
        folder = tmp_path / "run"
        (folder / "output").mkdir(parents=True, exist_ok=True)
        (folder / "output" / "predictions.csv").write_text(text)
        return folder

    return make


def test_the_score_is_the_judges_and_not_the_programs(contest, run):
    folder = run("id,label\n4,dog\n3,cat\n2,cat\n1,cat\n")
    assert find_metrics(contest, folder, ("predictions.csv",), {"accuracy": 1.0}) == {"accuracy": 0.75}


@pytest.mark.parametrize("text", ["", "id,label\n1,cat\n", "id,label\n1,cat\n2\n", "\0\n", '"'])
def test_predictions_that_cannot_be_scored_have_no_score(contest, run, text):
    assert find_metrics(contest, run(text), ("predictions.csv",), {"accuracy": 1.0}) == {}


def test_a_run_without_predictions_has_no_score(contest, tmp_path):
    assert find_metrics(contest, tmp_path, ("model.pt",), {"accuracy": 1.0}) == {}


def test_a_folder_that_leads_to_the_claim_gives_neither_score_nor_agreement(contest, run, tmp_path):
    claim = run("id,label\n4,dog\n3,cat\n2,cat\n1,cat\n")
    judged = tmp_path / "judged"
    (judged / "output").mkdir(parents=True)
    (judged / "output" / "out").symlink_to(claim / "output")
    contest = replace(contest, predictions="out/predictions.csv")
    assert find_metrics(contest, judged, ("out/predictions.csv",), {"accuracy": 1.0}) == {}
    assert find_agreement("out/predictions.csv", claim, judged) is None
    (judged / "output" / "out").unlink()
    shutil.copytree(claim / "output", judged / "output" / "out")
    assert find_metrics(contest, judged, ("out/predictions.csv",), {}) == {"accuracy": 0.75}


def test_links_in_a_circle_give_neither_score_nor_agreement(contest, run, tmp_path):
    claim = run("id,label\n4,dog\n")
    judged = tmp_path / "judged"
    (judged / "output").mkdir(parents=True)
    (judged / "output" / "out").symlink_to("out")
    contest = replace(contest, predictions="out/predictions.csv")
    assert find_metrics(contest, judged, ("out/predictions.csv",), {}) == {}
    assert find_agreement("out/predictions.csv", claim, judged) is None


def test_without_labels_it_is_what_the_program_says(tmp_path):
    assert find_metrics(Contest(), tmp_path, (), {"accuracy": 1.0}) == {"accuracy": 1.0}


def test_scores_say_whether_they_were_computed(contest):
    (score,) = score_claim(contest, {"accuracy": 0.75}, {"accuracy": 0.5})
    assert score.computed
    (score,) = score_claim(Contest(metric=Metric("f1")), {"f1": 0.75}, {})
    assert (score.computed, score.judged) == (False, None)


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ("labels: labels.csv\n", "labels", "labels are for a metric"),
        ("metric: {name: acuracy}\nlabels: labels.csv\n", "labels", "did you mean 'accuracy'"),
        ("metric: {name: rmse}\nlabels: labels.csv\n", "labels", "rmse is better lower"),
        ("metric: {name: rmse, better: lower}\nlabels: label.csv\n", "labels", "'label.csv' does not exist"),
    ],
)
def test_labels_that_give_no_score_are_a_mistake_of_the_contests_file(tmp_path, lines, key, said):
    (tmp_path / "labels.csv").write_text(LABELS)
    (tmp_path / "contest.yaml").write_text(f"contest: 1\n{lines}")
    with pytest.raises(SpecError) as caught:
        read_contest(tmp_path / "contest.yaml")
    (problem,) = caught.value.problems
    assert problem.key == key
    assert said in str(problem)
    assert problem.line > 1
