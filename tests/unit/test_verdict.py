"""Verdicts follow from comparisons, and say what n runs prove."""

from dataclasses import replace

import pytest
from made_records import HOST, make_record

from reprobox.compare.model import Difference, FileComparison, NumberDifference, Result, Tolerance, make_remark
from reprobox.records import Gpu
from reprobox.verdict import (
    Cost,
    Obstacle,
    RunComparison,
    Verdict,
    bound_divergence,
    decide,
    find_obstacles,
    format_rate,
    suggest_cheaper,
)

SAME = RunComparison("a")
CONTENT = RunComparison("b", files=(("x.npz", FileComparison("npz", Result.SAME_CONTENT, 2, tolerable=True)),))
UNREADABLE = RunComparison(
    "c", files=(("x.pkl", FileComparison("pickle", Result.NOT_COMPARABLE, 0, remarks=make_remark("ends_early"))),)
)
MISSING = RunComparison("d", missing=("x",))


def differing(beyond):
    numbers = NumberDifference(4, 1, beyond, 1e-7, 1e-7, 1, "[0]")
    found = FileComparison("npy", Result.DIFFERENT, 1, (Difference("", "…", numbers),), 1, tolerable=not beyond)
    return RunComparison("e", files=(("x.npy", found),))


def judge(*comparisons, **settings):
    return decide(comparisons, **{"nothing_left": False, "with_reference": True, **settings})


@pytest.mark.parametrize(("runs", "text"), [(3, "63 %"), (5, "45 %"), (10, "26 %"), (20, "14 %"), (30, "9.5 %")])
def test_what_n_agreeing_runs_prove(runs, text):
    assert format_rate(bound_divergence(runs)) == text


def test_agreeing_runs_are_identical_and_the_bound_is_said():
    found = judge(SAME, CONTENT, SAME, SAME)
    assert (found.verdict, found.runs, found.agreeing) == (Verdict.IDENTICAL, 5, 5)
    assert found.reason == "5/5 identical: divergence rate ≤ 45 % at 95 %"
    assert found.bound == pytest.approx(0.4507, abs=1e-4)


def test_against_an_earlier_run_the_first_one_counts_too():
    assert judge(SAME, with_reference=False).reason.startswith("1/1 identical")
    assert judge(MISSING, with_reference=False).reason == "1 of 1 runs differ from the one they were set against"


@pytest.mark.parametrize(
    ("comparisons", "settings", "verdict", "reason"),
    [
        ((SAME, MISSING), {}, Verdict.DIFFERENT, "1 of 3 runs differ from the first"),
        ((differing(1),), {"tolerance": Tolerance(1e-9)}, Verdict.DIFFERENT, "1 of 2"),
        ((differing(0),), {"tolerance": Tolerance(1e-6)}, Verdict.EQUIVALENT, "1/2 identical, 2/2 within"),
        ((differing(0), MISSING), {"tolerance": Tolerance(1e-6)}, Verdict.DIFFERENT, "2 of 3"),
        ((differing(1),), {"obstacles": (Obstacle("image", "a", "b"),)}, Verdict.NOT_COMPARABLE, "image: a against b"),
        ((SAME,), {"obstacles": (Obstacle("image", "a", "b"),)}, Verdict.IDENTICAL, "2/2"),
        ((SAME, UNREADABLE), {}, Verdict.NOT_COMPARABLE, "cannot be read"),
        ((UNREADABLE, differing(1)), {}, Verdict.DIFFERENT, "2 of 3"),
        ((UNREADABLE,), {"tolerance": Tolerance(1)}, Verdict.NOT_COMPARABLE, "cannot be read"),
        ((SAME,), {"nothing_left": True}, Verdict.NOT_COMPARABLE, "no outputs"),
    ],
)
def test_verdicts(comparisons, settings, verdict, reason):
    found = judge(*comparisons, **settings)
    assert found.verdict is verdict
    assert reason in found.reason
    assert (found.bound is not None) is (verdict is Verdict.IDENTICAL)


def test_another_gpu_or_branch_of_its_driver_is_an_obstacle():
    card = Gpu("A100", "535.104.05", 80 << 30)
    one = make_record(gpus=(card,))
    assert find_obstacles(one, make_record(gpus=(replace(card, driver="535.54.03", index=1),))) == ()
    newer = make_record(gpus=(replace(card, driver="580.95.05"),))
    assert find_obstacles(one, newer) == (Obstacle("GPU", "A100 with driver 535", "A100 with driver 580"),)
    assert find_obstacles(one, make_record()) == (Obstacle("GPU", "A100 with driver 535", "none"),)
    several = replace(one, gpus=one.gpus * 8)
    assert find_obstacles(one, several) == (Obstacle("GPU", "A100 with driver 535", "8 × A100 with driver 535"),)
    divided = replace(one, gpus=(replace(one.gpus[0], mig=True),))
    (obstacle,) = find_obstacles(one, divided)
    assert obstacle.other == "A100 divided (MIG) with driver 535"


def test_what_was_not_the_same_before_the_run_is_named():
    one = make_record()
    assert find_obstacles(one, make_record(id="later")) == ()
    other = make_record(seed=33, inputs={"data": "5" * 64, "more": "6" * 64})
    assert tuple(map(str, find_obstacles(one, other))) == (
        "seed: 32 against 33",
        f"input data: {'4' * 19} against {'5' * 19}",
        f"input more: none against {'6' * 19}",
    )


def test_cost_is_the_median_of_ratios_and_noise_is_called_that():
    cost = Cost((2.0, 4.0, 3.0), (1.0, 1.0, 1.0), 3)
    assert (cost.ratio, cost.measurable) == (3.0, True)
    assert not Cost((1.1, 0.9), (1.0, 1.0), 1).measurable


def test_cheaper_ways_are_suggested_where_determinism_costs_something():
    dear, cheap = Cost((2.0,), (1.0,), 1), Cost((1.01,), (1.0,), 1)
    record = make_record(switches={"threads": 1, "fill_uninitialized_memory": True}, level="portable")
    assert [way.split(":")[0] for way in suggest_cheaper(dear, record)] == [
        "determinism.threads",
        "determinism.fill_uninitialized_memory",
        "determinism",
    ]
    assert suggest_cheaper(cheap, record) == ()
    intel = replace(record, host=replace(HOST, cpu_model="Intel(R) Xeon(R) Gold 6130"), switches={"cpu": "avx2"})
    assert [way.split(" —")[0] for way in suggest_cheaper(dear, intel)] == [
        "determinism.cpu: avx2-intel",
        "determinism: bitwise",
    ]
    for other in (replace(intel, host=HOST), replace(intel, switches={"cpu": "avx2-intel"})):
        assert not any("intel" in way for way in suggest_cheaper(dear, other))
    assert suggest_cheaper(dear, make_record(switches={"threads": 2})) == ()
    (way,) = suggest_cheaper(dear, make_record(switches={}, environment={"CHAINER_CUDNN": "0"}))
    assert way.startswith("env: without CHAINER_CUDNN=0")
    assert suggest_cheaper(dear, make_record(switches={}, environment={"CHAINER_CUDNN": "1"})) == ()
