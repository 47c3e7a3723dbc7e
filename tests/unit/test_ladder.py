"""Up the ladder with an engine in memory: each way a claim and the judge's runs can stand to each other."""

import json
import re
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from made_bundles import HOST, Bent, make_bundle, make_settings

from reprobox.compare.model import Tolerance
from reprobox.engines.fake import FakeEngine
from reprobox.gpus.driver import Driver
from reprobox.judging.allowance import Allowance, Overspent
from reprobox.judging.judge import Bench, JudgeOptions, judge_bundle
from reprobox.judging.terms import Contest, Limits, Metric
from reprobox.judging.text import describe_judgement
from reprobox.judging.words import tell_english

SPEC = """reprobox: 1
name: tiny
seed: 7
stages:
  train: {command: python train.py, outputs: [model.csv, metrics.json]}
  predict: {command: python predict.py, outputs: [predictions.csv]}
"""
ALONE = "reprobox: 1\nname: tiny\nseed: 7\ncommand: python train.py\n"
GPU = {"name": "NVIDIA A100", "driver": "535.104.05", "memory": 80 << 30, "index": 0}


def tabulate(values):
    return "".join(f"{value:.17g}\n" for value in ("value", *values) if value != "value").encode()


def compute(seed, shift=0.0):
    """Return what a training with a seed leaves: its model, its score and what it predicts."""
    values = np.random.RandomState(seed).rand(40)
    score = {"accuracy": round(0.8 + float(values[0]) / 10, 6)}
    model = tabulate(values + shift)
    rows = "".join(f"{row},{int(value > 0.5)},{value + shift:.12g}\n" for row, value in enumerate(values))
    return {
        "model.csv": b"value\n" + model,
        "metrics.json": json.dumps(score).encode(),
        "predictions.csv": f"row,prediction,probability\n{rows}".encode(),
    }


def program(leave, seen):
    """Return a program that leaves what ``leave`` says of its seed, the stage predict only what it makes."""

    def run(call):
        places = {mount.target: mount.source for mount in call.mounts}
        contract = places.get("/opt/reprobox/contract.json")
        seed = json.loads(contract.read_text())["seed"] if contract else 7
        output = places["/output"]
        seen.append((call.argv[-1], sorted(path.name for path in output.iterdir() if path.suffix)))
        made = leave(seed)
        for name in ["predictions.csv"] if "@predict" in call.argv else made:
            (output / name).write_bytes(made[name])
        return 0

    return run


@pytest.fixture
def judge(tmp_path):
    """Judge a claim made with ``claimed`` against runs that leave ``left``; return the judgement."""

    def call(claimed, left, *, spec=SPEC, gpus=(), at_once=1, seen=None, **contest):
        bundle = make_bundle(tmp_path / "entry", spec=spec, outputs=claimed)
        if gpus:
            bent = Bent.read(bundle)
            bent.edit_record(lambda record: record.update(gpus=list(gpus)))
            bundle = bent.write(bundle)
        settings = make_settings(tmp_path)
        bench = Bench((FakeEngine(program(left, [] if seen is None else seen)),), HOST, Driver(()), settings, at_once)
        options = JudgeOptions(Contest(**contest), None, rebuild=False, runtime="", gpus=())
        return judge_bundle(bundle, tmp_path / "judgements" / "tiny", options, bench, lambda rung: None)

    return call


def list_rungs(found):
    return {rung.number: rung.outcome.value for rung in found.rungs}


def test_the_same_content_is_identical(judge):
    found = judge(compute(7), compute)
    assert found.verdict == "IDENTICAL"
    assert list_rungs(found) == {0: "passed", 1: "passed", 2: "passed", 3: "passed"}


@pytest.mark.parametrize(
    ("tolerance", "verdict", "reached"),
    [
        (Tolerance(relative=1e-6), "EQUIVALENT", {3: "passed"}),
        (Tolerance(relative=1e-12), "CONSISTENT", {3: "failed", 4: "passed"}),
        (None, "CONSISTENT", {3: "failed", 4: "passed"}),
    ],
)
def test_numbers_are_the_same_within_the_contests_tolerance_and_no_other(judge, tolerance, verdict, reached):
    found = judge(compute(7, shift=1e-9), compute, spec=ALONE, tolerance=tolerance)
    assert found.verdict == verdict
    assert list_rungs(found) == {0: "passed", 1: "skipped", 2: "passed", **reached}


@pytest.mark.parametrize(("tolerance", "verdict"), [(Tolerance(absolute=1e-6), "EQUIVALENT"), (None, "DIFFERENT")])
def test_predictions_of_the_shipped_model_may_differ_by_as_much(judge, tolerance, verdict):
    claimed = {**compute(7), "predictions.csv": compute(7, shift=1e-9)["predictions.csv"]}
    found = judge(claimed, compute, tolerance=tolerance)
    assert found.verdict == verdict
    assert list_rungs(found)[1] == ("passed" if tolerance else "failed")
    if not tolerance:
        assert found.agreement.with_claim == 1 / 41


@pytest.mark.parametrize("seeds", [3, 0])
def test_other_predictions_of_the_shipped_model_stand_beside_those_of_two_seeds(judge, tmp_path, seeds):
    labels = tmp_path / "labels.csv"
    labels.write_bytes(compute(7)["predictions.csv"].replace(b"prediction", b"label"))
    claimed = {**compute(7), "predictions.csv": compute(8)["predictions.csv"]}
    found = judge(claimed, compute, labels=labels, metric=Metric("accuracy"), predictions="predictions.csv",
                  predictions_column="prediction", labels_column="label", seeds=seeds)  # fmt: skip
    assert found.verdict == "DIFFERENT"
    assert list_rungs(found) == {0: "passed", 1: "failed"}
    told = describe_judgement(found, Path())
    assert ("alone it says nothing" in told) == (not seeds)
    assert f"{seeds} other seeds were run only to set" in told if seeds else not found.scores
    assert (found.agreement.between_seeds is not None, len(found.runs)) == (bool(seeds), 1 + seeds)
    for score in found.scores:
        assert (score.judged, score.claimed < 1, score.seeds, len(score.band)) == (1.0, True, seeds, 2)


def test_a_score_that_came_with_the_shipped_model_is_not_the_judges(judge):
    claimed = {**compute(7), "predictions.csv": compute(8)["predictions.csv"], "metrics.json": b'{"accuracy": 0.99}'}
    (score,) = judge(claimed, compute).scores
    assert (score.claimed, score.judged, score.inside) == (0.99, None, False)


def test_what_is_within_the_tolerance_stands_beside_other_seeds_too(judge):
    """A tolerance that any seed is within would tell nothing."""
    found = judge(compute(7, shift=1e-9), compute, spec=ALONE, tolerance=Tolerance(absolute=1e-6), seeds=2)
    assert found.verdict == "EQUIVALENT"
    assert found.agreement.with_claim == found.agreement.between_seeds == 1 / 41
    assert [path for path, _ in found.parted.files] == ["model.csv", "predictions.csv"]


def test_seeds_that_take_too_long_beside_an_answer_do_not_take_it_back(judge, monkeypatch):
    def overspend(*_):
        raise Overspent

    monkeypatch.setattr("reprobox.judging.ladder.compare_seeds", overspend)
    claimed = {**compute(7), "predictions.csv": compute(8)["predictions.csv"]}
    assert judge(claimed, compute).verdict == "DIFFERENT"


def test_two_seeds_are_set_beside_predictions_without_any_score(judge):
    def leave(seed):
        return {name: data for name, data in compute(seed).items() if name != "metrics.json"}

    spec = ALONE + "outputs: [predictions.csv]\n"
    found = judge(leave(8), leave, spec=spec, seeds=2)
    assert (found.verdict, list_rungs(found)[4]) == ("DIFFERENT", "skipped")
    assert found.agreement.between_seeds is not None


def test_the_shipped_model_gets_no_copy_of_what_it_is_to_predict(judge):
    claimed = compute(7)
    claimed["copy.csv"] = claimed["predictions.csv"]
    seen = []
    found = judge(claimed, lambda seed: claimed, spec=SPEC + "outputs: ['*']\n", seen=seen)
    assert found.verdict == "IDENTICAL"
    assert seen[0] == ("@predict", ["metrics.json", "model.csv"])


def test_the_claim_of_another_seed_is_consistent_and_stands_beside_two_seeds(judge):
    found = judge(compute(8), compute, spec=ALONE)
    assert found.verdict == "CONSISTENT"
    assert found.agreement.between_seeds is not None
    (score,) = found.scores
    assert score.band[0] <= score.claimed <= score.band[1]


def test_the_first_stage_that_leaves_something_else_is_named(judge):
    claimed = {**compute(7), "predictions.csv": compute(7, shift=1e-9)["predictions.csv"]}
    spec = SPEC.replace("  predict: {command: python predict.py,", "  prepare: {command: python prepare.py,")
    found = judge(claimed, compute, spec=spec)
    assert "predictions.csv differs; the first of it in what stage prepare leaves" in tell_english(found.reason)


@pytest.mark.parametrize(
    ("accuracy", "seeds", "verdict", "last"),
    [
        (0.8079, 5, "CONSISTENT", "passed"),
        (0.99, 5, "NOT COMPARABLE", "failed"),
        (0.8079, 0, "NOT COMPARABLE", "skipped"),
    ],
)
def test_a_claim_of_another_gpu_is_not_different_and_its_score_may_still_be_one_of_the_seeds(
    judge, accuracy, seeds, verdict, last
):
    claimed = {**compute(7, shift=1e-9), "metrics.json": json.dumps({"accuracy": accuracy}).encode()}
    found = judge(claimed, compute, gpus=[GPU], seeds=seeds)
    assert found.verdict == verdict
    assert list_rungs(found)[1] == "skipped"
    assert "GPU" in tell_english(found.reason)
    assert "the result differs" not in tell_english(found.reason)
    assert list_rungs(found)[4] == last


def test_the_score_is_computed_where_the_judges_have_labels_whatever_programs_say(judge, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_bytes(compute(7)["predictions.csv"].replace(b"prediction", b"label"))
    claimed = {**compute(7), "metrics.json": b'{"accuracy": 0.25}'}
    found = judge(claimed, compute, labels=labels, metric=Metric("accuracy"), predictions="predictions.csv")
    (score,) = found.scores
    assert (score.claimed, score.judged, score.computed) == (1.0, 1.0, True)


@pytest.mark.parametrize(("limit", "memory"), [(None, HOST.memory * 3 // 16), (2**30, 2**30)])
def test_entries_that_are_judged_at_once_share_the_machines_memory(judge, limit, memory):
    assert judge(compute(7), compute, at_once=4, limits=Limits(memory=limit)).sandbox["memory"] == memory


# It may come while the garbage collector calls back, which only warns of it; a second later it comes again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_files_that_take_too_long_to_compare_are_not_comparable(judge):
    claimed = {**compute(7), "model.csv": b"value\n" + b"0.5\n" * 3_000_000}
    left = {**compute(7), "model.csv": b"value\n" + b"0.25\n" * 3_000_000}
    began = time.process_time()
    found = judge(claimed, lambda seed: left, spec=ALONE, limits=Limits(comparing=0.01), seeds=0)
    assert found.verdict == "NOT COMPARABLE"
    assert "processor time" in tell_english(found.reason)
    assert time.process_time() - began < 10


class TestAllowance:
    def test_work_ends_whatever_it_catches(self):
        def work():
            while True:
                with suppress(Exception):
                    re.fullmatch("(a*)*b", "a" * 40)

        with pytest.raises(Overspent), Allowance(0.1).spend():
            work()

    def test_what_is_spent_is_spent(self):
        def work(allowance):
            with allowance.spend():
                sum(range(10**6))

        allowance = Allowance(0.2)
        work(allowance)
        with pytest.raises(Overspent):
            deque((work(allowance) for _ in range(1000)), maxlen=0)

    def test_nothing_ends_once_the_work_is_done(self):
        with Allowance(0.05).spend():
            pass
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
