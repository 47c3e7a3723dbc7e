"""A sweep over seeds: which are run, what is kept, what it comes to, and how that is shown."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import make_record

from reprobox.contract import format_contract
from reprobox.errors import UsageError
from reprobox.lock import ArchiveBase, Lock, PythonTarget
from reprobox.plan import make_plan
from reprobox.plot import choose_ticks, draw_lines, draw_picture
from reprobox.run import CONTRACT_TARGET, RunRequest
from reprobox.runtime_files import list_runtime_files
from reprobox.spec.load import parse_spec
from reprobox.sweep import (
    SeedRun,
    SweepRecord,
    choose_seeds,
    read_sweep,
    summarize_metric,
    sweep_id,
    take_run,
    write_sweep,
)
from reprobox.sweep_report import conclude_sweep
from reprobox.sweep_runs import check_level, reseed_request
from reprobox.sweep_text import describe_seed_run, describe_summary, describe_unmeasured

DIGEST = "sha256:" + "ab" * 32


def seed_run(seed, **metrics):
    return SeedRun(seed, f"run-{seed}", 0, True, 1.25, metrics)


def make_sweep(*runs, claimed=32):
    empty = SweepRecord("abababababab", "digits", DIGEST, "sha256:s", "sha256:l", "bitwise", False, claimed, ())
    for run in runs:
        empty = empty.add(run)
    return empty


def many(count=30, claim=0.97):
    values = [seed_run(seed, accuracy=0.95 + seed / 1000) for seed in choose_seeds(32, count)]
    return make_sweep(*values, seed_run(32, accuracy=claim))


def test_the_seeds_are_the_first_ones_without_the_claimed():
    assert choose_seeds(32, 5) == (1, 2, 3, 4, 5)
    assert choose_seeds(3, 5) == (1, 2, 4, 5, 6)
    assert len(choose_seeds(7, 30)) == 30


@given(st.integers(1, 2147462578), st.integers(1, 200))
def test_there_are_as_many_seeds_as_were_asked_for_and_the_claimed_is_none_of_them(claimed, count):
    seeds = choose_seeds(claimed, count)
    assert len(set(seeds) - {claimed}) == count


def test_more_seeds_begin_with_the_fewer():
    assert choose_seeds(4, 30)[:10] == choose_seeds(4, 10)


def test_another_image_or_a_gpu_is_another_sweep():
    assert sweep_id(DIGEST, gpu=False) == "abababababab"
    assert sweep_id(DIGEST, gpu=True) == "abababababab-gpu"


def test_a_sweep_is_read_as_it_was_written(tmp_path):
    record = many(5)
    write_sweep(tmp_path / "s" / "x.json", record)
    assert read_sweep(tmp_path / "s" / "x.json", make_sweep()) == record


def test_no_record_is_a_fresh_one(tmp_path):
    assert read_sweep(tmp_path / "none.json", make_sweep()) == make_sweep()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema_version": 2}',
        '{"schema_version": 1, "image_digest": "sha256:other", "runs": []}',
        json.dumps({"schema_version": 1, "image_digest": DIGEST, "runs": [{"seed": 1}]}),
        json.dumps({"schema_version": 1, "image_digest": DIGEST, "runs": 3}),
        json.dumps(
            {
                "schema_version": 1,
                "image_digest": DIGEST,
                "runs": [{"seed": "1", "run": "x", "exit_code": 0, "complete": True, "seconds": 1, "metrics": {}}],
            }
        ),
    ],
)
def test_a_record_that_cannot_be_used_is_said_so(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match="cannot be used"):
        read_sweep(tmp_path / "x.json", make_sweep())


def test_a_seed_that_failed_is_run_again_and_one_that_did_not_is_not():
    record = make_sweep(replace(seed_run(1), exit_code=3, complete=False), seed_run(2))
    assert record.find(1) is None
    assert record.find(2) == seed_run(2)
    assert record.add(seed_run(1, x=1.0)).find(1) == seed_run(1, x=1.0)


def test_what_is_kept_of_a_run():
    assert take_run(make_record(seed=7, metrics={"loss": 0.5, "bad": float("inf")})) == SeedRun(
        7, "20261121-084500", 0, True, 1.5, {"loss": 0.5}
    )
    assert not take_run(make_record(exit_code=1)).complete
    assert not take_run(make_record(missing_outputs=("x",))).complete


def test_the_claimed_seed_is_not_among_those_it_is_set_against():
    summary = summarize_metric(many(), "accuracy", (*choose_seeds(32, 30), 32))
    assert summary.spread.n == 30
    assert 32 not in dict(summary.values)
    assert summary.claim.value == 0.97


def test_seeds_beyond_those_asked_for_do_not_count():
    assert summarize_metric(many(30), "accuracy", choose_seeds(32, 10)).spread.n == 10


def test_a_metric_that_no_run_has_has_no_summary():
    assert summarize_metric(many(), "loss", choose_seeds(32, 30)) is None


def test_the_claimed_seed_may_lack_a_metric():
    record = make_sweep(seed_run(1, x=1.0), seed_run(2, x=2.0), seed_run(32))
    summary = summarize_metric(record, "x", (1, 2))
    assert summary.claim is None
    assert "seed 32 left no such metric" in describe_summary(summary, 32)


def test_the_text_says_what_a_reader_needs():
    text = describe_summary(summarize_metric(many(claim=0.955), "accuracy", choose_seeds(32, 30)), 32)
    assert "30 seeds, the claimed one apart" in text
    assert "median 0.9655   mean 0.9655   sd 0.00880341" in text
    assert "above 4, below 25 of 30" in text
    assert "inside the band of ±2.08 sd" in text
    assert "verdict  CONSISTENT — the claimed value lies inside" in text


# Five seeds, worked by hand: the mean is 4, the sum of squares 40, so sd = √10; t(0.975, 4) = 2.776445.
FIVE = {1: 1.0, 2: 2.0, 3: 3.0, 4: 5.0, 5: 9.0}
MEAN_INTERVAL = (0.0735137, 7.9264863)  # 4 ∓ 2.776445 √10 / √5
BAND = (-5.6178880, 13.6178880)  # 4 ∓ 2.776445 √10 √(1 + 1/5)


@pytest.fixture
def five(tmp_path):
    """The sweep over five seeds, with a claim of 6."""
    record = make_sweep(*(seed_run(seed, x=value) for seed, value in FIVE.items()), seed_run(32, x=6.0))
    return conclude_sweep(tmp_path / "abc.json", record, 5, "x")


def test_every_line_of_the_text_has_the_numbers_that_arithmetic_gives(five):
    ((summary, _),) = five.metrics
    assert describe_summary(summary, 32).splitlines() == [
        "metric   x: 5 seeds, the claimed one apart",
        "spread   median 3   mean 4   sd 3.16228",
        "mean     0.0735137 … 7.92649   95 % interval of the mean, if values are normal",
        "band     -5.61789 … 13.6179   95 % prediction band of one more seed, if values are normal",
        "range    1 … 9   holds one more seed with 67 %, whatever the distribution",
        # 56 columns from the band's low end less 3 % of its width to its high end and as much.
        "plot                        █  █  █    █          █",
        "           [                      |       C                   ]   [ band ]  | median  C claimed",
        "claimed  seed 32: 6, above 4, below 1 of 5, +0.63 sd from the mean: inside the band of ±3.04 sd",
        "verdict  CONSISTENT — the claimed value lies inside the other seeds' prediction band",
    ]


def test_the_answer_for_programs_has_the_same_numbers(five):
    found = five.to_json()["metrics"]["x"]
    assert (found["n"], found["minimum"], found["median"], found["mean"], found["maximum"]) == (5, 1.0, 3.0, 4.0, 9.0)
    assert found["sd"] == pytest.approx(10**0.5)
    for name, ends in (("mean_interval", MEAN_INTERVAL), ("prediction_band", BAND)):
        assert (found[name]["low"], found[name]["high"]) == pytest.approx(ends, abs=1e-6)
    assert found["values"] == {str(seed): value for seed, value in FIVE.items()}
    claim = found["claim"]
    assert (claim["value"], claim["below"], claim["equal"], claim["above"], claim["inside"]) == (6.0, 4, 0, 1, True)
    assert claim["deviations"] == pytest.approx(2 / 10**0.5)
    assert found["verdict"] == "CONSISTENT"


def test_the_picture_has_everything_at_its_place(five):
    ((_, path),) = five.metrics
    root = ElementTree.fromstring(path.read_text())
    low, high = BAND[0] - 0.03 * (BAND[1] - BAND[0]), BAND[1] + 0.03 * (BAND[1] - BAND[0])

    def place(value):
        return 40 + (value - low) / (high - low) * 640

    def read(kind, *names, **wanted):
        found = root.findall(f"{{http://www.w3.org/2000/svg}}{kind}")
        chosen = [one for one in found if all(one.get(name) == value for name, value in wanted.items())]
        return [tuple(float(one.get(name)) for name in names) for one in chosen]

    # Dots stand in columns as wide as they are.
    assert read("circle", "cx") == [(round(place(value), -1),) for value in FIVE.values()]
    (shaded,) = read("rect", "x", "width", fill="#dde7f5")
    assert shaded == pytest.approx((place(BAND[0]), place(BAND[1]) - place(BAND[0])), abs=0.01)
    (bar,) = read("rect", "x", "width", fill="#4c78a8")
    ends = [place(end) for end in MEAN_INTERVAL]
    assert bar == pytest.approx((ends[0], ends[1] - ends[0]), abs=0.01)
    (dashed,) = read("line", "x1", "x2", **{"stroke-dasharray": "4 3"})
    assert dashed == pytest.approx([place(3)] * 2, abs=0.01)
    (red,) = read("line", "x1", "x2", stroke="#d62728")
    assert red == pytest.approx([place(6)] * 2, abs=0.01)


def diverged(left, count=30):
    """A sweep whose first ``left`` seeds left a loss; for the others it was no number any more."""
    seeds = choose_seeds(32, count)
    runs = [seed_run(seed, **({"loss": 0.5 + seed / 1000} if seed <= left else {})) for seed in seeds]
    return make_sweep(*runs, seed_run(32, loss=0.505))


def test_seeds_that_left_no_value_are_counted_and_no_claim_is_consistent_with_a_minority(tmp_path):
    outcome = conclude_sweep(tmp_path / "abc.json", diverged(10), 30, "")
    ((summary, picture),) = outcome.metrics
    text = describe_summary(summary, 32)
    assert "metric   loss: 10 seeds, the claimed one apart\nnote     20 of 30 seeds left no such value" in text
    assert "verdict  NOT COMPARABLE — fewer than half of the other seeds left such a value" in text
    found = outcome.to_json()["metrics"]["loss"]
    assert (found["verdict"], found["lacking"]) == ("NOT COMPARABLE", list(range(11, 31)))
    assert "digits: loss over 10 of 30 seeds" in picture.read_text()


@pytest.mark.parametrize(("left", "verdict"), [(1, "NOT COMPARABLE"), (14, "NOT COMPARABLE"), (15, "CONSISTENT")])
def test_half_of_the_seeds_make_a_band(tmp_path, left, verdict):
    outcome = conclude_sweep(tmp_path / "abc.json", diverged(left), 30, "loss")
    assert outcome.to_json()["metrics"]["loss"]["verdict"] == verdict
    assert f"verdict  {verdict} — " in describe_summary(outcome.metrics[0][0], 32)


def test_a_metric_that_only_the_claimed_seed_has_is_told(tmp_path):
    outcome = conclude_sweep(tmp_path / "abc.json", diverged(0), 30, "loss")
    assert (outcome.metrics, outcome.to_json()["unmeasured"]) == ((), ["loss"])
    text = describe_unmeasured("lo\x1bss", 30)
    assert text.startswith("metric   lo\\x1bss: only the claimed seed left such a value\nnote     30 of 30 seeds")
    assert "verdict  NOT COMPARABLE" in text


def test_equal_seeds_are_equal_whatever_their_number(tmp_path):
    record = make_sweep(*(seed_run(seed, x=0.7) for seed in (1, 2, 3, 32)))
    text = describe_summary(summarize_metric(record, "x", (1, 2, 3)), 32)
    assert "every seed gave 0.7" in text
    assert "sd from the mean" not in text


def test_a_picked_seed_is_outside():
    text = describe_summary(summarize_metric(many(claim=0.999), "accuracy", choose_seeds(32, 30)), 32)
    assert "above 30, below 0 of 30, +3.81 sd from the mean: OUTSIDE the band" in text
    assert "verdict  DIFFERENT — the claimed value lies outside" in text


def test_seeds_that_change_nothing_are_said_to():
    record = make_sweep(*(seed_run(seed, x=0.5) for seed in (1, 2, 3, 32)))
    text = describe_summary(summarize_metric(record, "x", (1, 2, 3)), 32)
    assert "every seed gave 0.5" in text
    assert "sd from the mean" not in text


def test_one_seed_has_no_band():
    record = make_sweep(seed_run(1, x=0.5), seed_run(32, x=0.25))
    text = describe_summary(summarize_metric(record, "x", (1,)), 32)
    assert "prediction" not in text
    assert "claimed  seed 32: 0.25, above 0, below 1 of 1" in text
    assert "verdict" not in text


def test_a_run_has_one_line():
    assert describe_seed_run(seed_run(3, loss=0.5), "", known=False) == "seed 3          loss=0.5  1.2 s"
    assert describe_seed_run(seed_run(3, loss=0.5), "loss", known=True).endswith("run before")
    failed = replace(seed_run(3), exit_code=9, complete=False)
    assert "failed with exit code 9" in describe_seed_run(failed, "", known=False)


def test_the_plot_has_a_bar_for_every_seed_and_its_marks():
    bars, marks = draw_lines(summarize_metric(many(), "accuracy", choose_seeds(32, 30)))
    assert len(bars) == 56
    assert bars.strip()
    assert [mark for mark in marks if mark != " "] == ["[", "|", "C", "]"]


values = st.floats(-1e9, 1e9)


@given(st.lists(values, min_size=1, max_size=40), values)
def test_any_values_can_be_drawn(numbers, claim):
    record = make_sweep(*(seed_run(seed + 100, x=number) for seed, number in enumerate(numbers)), seed_run(32, x=claim))
    summary = summarize_metric(record, "x", range(100, 200))
    draw_lines(summary)
    picture = draw_picture(summary, 32)
    assert len(picture.dots) == len(numbers)
    assert all(0 <= dot.x <= picture.width and 0 <= dot.y <= picture.base for dot in picture.dots)
    describe_summary(summary, 32)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0.953, 0.981, [0.955, 0.96, 0.965, 0.97, 0.975, 0.98]), (-3, 4, None)],
)
def test_ticks_are_round(low, high, ticks):
    found = choose_ticks(low, high)
    assert all(low <= tick <= high for tick in found)
    assert found == pytest.approx(ticks or list(range(-3, 5)))


def test_the_picture_stands_alone_and_is_well_formed(tmp_path):
    record = make_sweep(
        *(seed_run(seed, **{"a<b>&/c": seed / 10}) for seed in range(1, 11)), seed_run(32, **{"a<b>&/c": 2.0})
    )
    outcome = conclude_sweep(tmp_path / "abc.json", record, 10, "")
    ((_, picture),) = outcome.metrics
    assert picture == tmp_path / "abc-a_b___c.svg"
    root = ElementTree.fromstring(picture.read_text())
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 10
    assert root.find("{http://www.w3.org/2000/svg}title").text == "digits: a<b>&/c over 10 seeds"
    assert not re.search(r"href|url\(|<script", picture.read_text())
    assert outcome.exit_status == 0
    assert outcome.to_json()["metrics"]["a<b>&/c"]["claim"]["inside"] is False
    assert outcome.to_json()["metrics"]["a<b>&/c"]["verdict"] == "DIFFERENT"


def test_seeds_that_failed_are_named_and_are_exit_code_7(tmp_path):
    record = make_sweep(seed_run(1, x=1.0), replace(seed_run(2), exit_code=1, complete=False), seed_run(32, x=1.0))
    outcome = conclude_sweep(tmp_path / "abc.json", record, 2, "")
    assert (outcome.failed, outcome.exit_status, outcome.metrics[0][0].spread.n) == ((2,), 7, 1)


SPEC = "reprobox: 1\nname: x\nseed: 32\ncommand: python x.py\n"


@pytest.fixture
def request_of():
    """A function: lines of a spec -> the request of a run with its own seed, and the lock."""

    def make(*lines):
        spec = parse_spec(SPEC + "\n".join(lines), "spec.yaml", None)
        base, python = ArchiveBase("root.tar", "0" * 64), PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
        lock = Lock("1", 1, "", (), base, python, (), ())
        plan = make_plan(spec, lock, ())
        started = datetime(2026, 11, 21, tzinfo=UTC)
        record = make_record()
        request = RunRequest(
            image="x",
            image_digest=DIGEST,
            plan=plan,
            spec=spec,
            project=Path(),
            runs=Path(),
            stages=(),
            command=(),
            gpus=(),
            caller=(0, 0),
            host=record.host,
            started=started,
        )
        return request, lock

    return make


def test_another_seed_is_another_contract_and_other_variables_for_the_same_image(request_of):
    request, lock = request_of()
    other = reseed_request(request, lock, 7)
    assert other.plan.seed == 7
    assert dict(other.plan.switches)["hash_seed"] == 7
    assert other.environment == {"PYTHONHASHSEED": "7"}
    contract = json.loads(other.contract)
    assert (contract["seed"], contract["env"]["PYTHONHASHSEED"]) == (7, "7")
    assert (other.plan.spec_digest, other.image_digest) == (request.plan.spec_digest, request.image_digest)
    assert {**contract, "seed": 32} != json.loads(format_contract(request.plan))


def test_a_hash_seed_that_the_spec_sets_itself_stays(request_of):
    request, lock = request_of("determinism: {level: bitwise, hash_seed: 0}")
    other = reseed_request(request, lock, 7)
    assert other.environment == {}
    assert json.loads(other.contract)["seed"] == 7


def test_the_spec_s_own_seed_runs_the_image_as_it_is(request_of):
    request, lock = request_of()
    assert reseed_request(request, lock, 32) == request


def test_the_contract_is_mounted_where_the_image_has_its_own(request_of):
    request, _ = request_of()
    assert CONTRACT_TARGET.lstrip("/") in [entry.path for entry, _ in list_runtime_files(request.plan)]


def test_level_off_has_no_seeds_to_sweep_over(request_of):
    with pytest.raises(UsageError, match="level off"):
        check_level(request_of("determinism: off")[0].spec)
