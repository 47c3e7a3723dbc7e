"""Two runs' contributions are compared by their order, and what the numbers mean goes with them."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import make_record

from reprobox.contributions.agreement import (
    compare_contributions,
    correlate_ranks,
    describe_comparison,
    find_least,
)
from reprobox.contributions.read import read_contributions
from reprobox.contributions.runs import compare_folders, has_contributions
from reprobox.contributions.text import describe_contributions
from reprobox.diff_text import describe_diff
from reprobox.run_diff import compare_runs


def table(values, model="", importance_type="total_gain"):
    lines = ["feature,importance,method,importance_type,data_split,metric,seed,model_id"]
    lines += [
        f"{name},{value},gain,{importance_type},train,not applicable: sums of gains,7,{model}"
        for name, value in values.items()
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def make(tmp_path):
    """A function: the table's text and the meta's keys -> contributions."""

    def write_and_read(text, **meta):
        (tmp_path / "c.csv").write_text(text)
        (tmp_path / "m.json").write_text(json.dumps(meta))
        return read_contributions(tmp_path / "c.csv", tmp_path / "m.json")

    return write_and_read


def say(found):
    return list(describe_comparison(found))


def test_the_same_order_is_exactly_one_whatever_the_numbers(make):
    a = make(table({name: 1 / (at + 1) for at, name in enumerate("abcdefghijklmno")}))
    b = make(table({name: 100 - at for at, name in enumerate("abcdefghijklmno")}))
    found = compare_contributions(a, b)
    assert found.agreements[0].spearman == 1
    assert say(found) == ["contributions: Spearman 1, top 10: 10 the same"]


def test_what_is_nearly_the_same_is_not_called_one(make):
    names = [f"v{at}" for at in range(1000)]
    a = make(table({name: 2000 - at for at, name in enumerate(names)}))
    names[-1], names[-2] = names[-2], names[-1]
    b = make(table({name: 2000 - at for at, name in enumerate(names)}))
    assert say(compare_contributions(a, b)) == ["contributions: Spearman 0.9999, top 10: 10 the same"]


def test_variables_that_one_run_lacks_are_counted(make):
    found = compare_contributions(make(table({"a": 3, "b": 2, "c": 1})), make(table({"a": 3, "b": 1, "d": 2})))
    (one,) = found.agreements
    assert (one.shared, one.only_a, one.only_b, one.spearman, one.top, one.top_shared) == (2, 1, 1, 1, 3, 2)
    assert say(found) == ["contributions: Spearman 1, top 3: 2 the same, 2 variables only in one run"]


def test_the_reverse_is_minus_one(make):
    found = compare_contributions(make(table({"a": 3, "b": 2, "c": 1})), make(table({"a": 1, "b": 2, "c": 3})))
    assert say(found) == ["contributions: Spearman -1, top 3: 3 the same"]


@pytest.mark.parametrize("values", [{"a": 1}, {"a": 0, "b": 0}])
def test_where_there_is_no_order_none_is_made_up(make, values):
    found = compare_contributions(make(table(values)), make(table(values)))
    assert found.agreements[0].spearman is None
    assert "no order to compare" in say(found)[0]


def test_where_the_sign_is_a_direction_sizes_are_compared(make):
    a = make(table({"a": 3, "b": 2, "c": 1}), sign="signed")
    b = make(table({"a": -3, "b": 2, "c": -1}), sign="signed")
    assert compare_contributions(a, b).agreements[0].spearman == 1


def test_an_ensemble_is_compared_model_by_model(make):
    header, *rows = table({"a": 1, "b": 2}, "one").splitlines()
    weights = {"one": 0.5, "two": 0.5, "three": 0.5}
    a = make("\n".join([header, *rows, *table({"a": 1, "b": 2}, "two").splitlines()[1:]]), weights=weights)
    b = make("\n".join([header, *rows, *table({"a": 1, "b": 2}, "three").splitlines()[1:]]), weights=weights)
    assert say(compare_contributions(a, b)) == [
        "contributions of one: Spearman 1, top 2: 2 the same",
        "contributions: only one run has model 'three', 'two'",
    ]


def test_numbers_that_mean_something_else_are_said_to(make):
    a, b = make(table({"a": 1, "b": 2})), make(table({"a": 1, "b": 2}, importance_type="split"))
    assert say(compare_contributions(a, b)) == [
        "contributions: Spearman 1, top 2: 2 the same, importance_type is total_gain in one run, split in the other"
    ]


def test_none_in_one_run_is_no_agreement(make, tmp_path):
    some = make(table({"a": 1}))
    (tmp_path / "c.csv").unlink()
    (tmp_path / "m.json").write_text('{"status": "not_computed", "reason": "no time"}')
    none = read_contributions(tmp_path / "c.csv", tmp_path / "m.json")
    assert say(compare_contributions(some, none)) == ["contributions: computed in one run, not computed in the other"]
    assert say(compare_contributions(none, none)) == ["contributions: not computed in both runs"]


def test_of_several_runs_the_least_agreement_counts(make):
    a = make(table({"a": 3, "b": 2, "c": 1}))
    others = [make(table(dict(zip("abc", values, strict=True)))) for values in ((3, 2, 1), (2, 3, 1), (30, 20, 1))]
    found = find_least([compare_contributions(a, other) for other in others])
    assert [one.spearman for one in found.agreements] == [0.5]


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=30))
def test_the_correlation_is_that_of_averaged_ranks(pairs):
    def average(values):
        return [(sum(v < one for v in values) + 1 + sum(v <= one for v in values)) / 2 for one in values]

    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    found = correlate_ranks(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found is not None
        assert math.isclose(found, np.corrcoef(average(a), average(b))[0, 1], abs_tol=1e-12)


@pytest.fixture
def folders(tmp_path):
    for name in "ab":
        (tmp_path / name / "output").mkdir(parents=True)
    return tmp_path / "a" / "output", tmp_path / "b" / "output"


def test_a_run_without_contributions_is_not_compared(folders):
    (folders[0] / "contributions.csv").write_text(table({"a": 1}))
    assert not has_contributions(folders[1])
    assert compare_folders(*folders) is None


def test_what_cannot_be_read_is_said_in_one_line(folders):
    for folder in folders:
        (folder / "contributions.csv").write_text("feature,contribution\na,1\n")
    assert len(say(compare_folders(*folders))) == 1
    assert "column 'contribution' is none of feature," in say(compare_folders(*folders))[0]


def test_diff_says_how_far_they_agree(folders):
    for folder, values in zip(folders, ({"a": 2, "b": 1, "c": 0}, {"a": 2, "b": 0, "c": 1}), strict=True):
        (folder / "contributions.csv").write_text(table(values))
    diff = compare_runs(*((folder.parent, make_record(id=folder.parent.name)) for folder in folders))
    assert "note     contributions: Spearman 0.5, top 3: 3 the same" in describe_diff(diff).splitlines()
    found = diff.to_json()["contributions"]
    assert found["agreements"][0]["spearman"] == 0.5
    assert found["meaning"].startswith("Spearman: 1 is the same order")


def test_people_see_an_ensemble_model_by_model(make):
    text = table({"a": 1, "b\x1b[2J": 2}, "one") + table({"a": 3}, "two").partition("\n")[2]
    lines = describe_contributions(make(text, weights={"one": 1, "two": 2})).splitlines()
    assert [line for line in lines if line.startswith("model")] == ["model    one, weight 1", "model    two, weight 2"]
    assert "\x1b" not in "".join(lines)


def test_a_long_table_is_cut(make):
    name = "a name that is longer than the column for it"
    text = describe_contributions(make(table({f"{name} {at}": at for at in range(40)})))
    assert text.endswith("… and 10 more")
    assert name not in text


def test_people_see_why_there_are_none(make, tmp_path):
    (tmp_path / "m.json").write_text('{"status": "not_applicable", "reason": "a network on images"}')
    found = read_contributions(tmp_path / "none.csv", tmp_path / "m.json")
    assert describe_contributions(found) == "contributions: not applicable: a network on images"
