"""Predictions and labels are read without trust, paired by row, and scored as everybody scores them."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprobox.contributions.predictions import find_key, pair_values, read_values
from reprobox.contributions.scores import METRICS, choose_metric, measure_shift, name_shift
from reprobox.errors import UsageError


@pytest.fixture
def read(tmp_path):
    """A function: text -> the values."""

    def write_and_read(text, column="", name="p.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_values(tmp_path / name, column)

    return write_and_read


def test_the_column_is_the_one_that_is_named(read):
    assert read("id,a,b\n1,x,y\n2,z,w\n", "a").values == ("x", "z")


@pytest.mark.parametrize(
    ("header", "column"),
    [("id,Prediction,p0", "Prediction"), ("id,label,predicted", "predicted"), ("id,a,b", "b"), ("a,b,y", "y")],
)
def test_else_its_name_or_its_place_tells(read, header, column):
    assert read(f"{header}\na,b,c\n").column == column


def test_without_a_header_every_line_counts(read):
    found = read("1,0.5\n2,0.25\n")
    assert (found.column, found.values, found.others) == ("2", ("0.5", "0.25"), {"1": ("1", "2")})


def test_tabs_and_semicolons_will_do(read):
    assert read("id\ty\n1\t2,5\n", name="p.tsv").values == ("2,5",)
    assert read("id;y\n1;2\n").values == ("2",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("id,y\n", "has no rows"),
        ("y,y\na,b\n", "a column is there twice"),
        ("id,y\n1\n", ":2: 1 cells, and the first line 2"),
        ('id,y\n"1,2\n', "is no CSV"),
        (b"id,y\n\xff,1\n", "is not UTF-8"),
        (b"\x80\x04pickle", "is not UTF-8"),
        ("id,y\n1,\0\n", "a NUL in line 2"),
    ],
)
def test_what_is_no_table_is_refused(read, text, said):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert said in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ["y" + "," * 20_000_000, "y\n" * 10_000_001, "id" + ",x" * 10_001], ids=["one row", "one column", "wide"]
)
def test_a_table_that_would_fill_the_memory_is_not_taken_apart(read, text):
    with pytest.raises(UsageError, match="has more cells than are read"):
        read(text)


def test_a_column_that_is_not_there_is_missed(read):
    with pytest.raises(UsageError, match="did you mean 'target'"):
        read("id,target\n1,2\n", "targt")


@pytest.mark.timeout(20)
def test_no_link_is_followed_and_no_pipe_waited_for(tmp_path):
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.csv")
    for name, said in (("link.csv", "is a link"), ("pipe.csv", "is no regular file"), ("none.csv", "is not there")):
        with pytest.raises(UsageError, match=said):
            read_values(tmp_path / name, "")


def test_rows_go_by_their_order(read):
    labels, predictions = read("y\n1\n2\n"), read("predicted\n3\n4\n")
    assert find_key(labels, predictions) == ""
    assert pair_values(labels, predictions, "") == (("1", "2"), ("3", "4"))


def test_the_columns_that_pandas_numbers_are_a_header(read):
    found = read(",0\n0,1.5\n1,2.5\n")
    assert (found.column, found.values, found.others) == ("0", ("1.5", "2.5"), {"": ("0", "1")})


def test_rows_go_by_a_key_where_their_orders_differ(read):
    labels, predictions = read("id,y\n7,a\n5,b\n"), read("id,predicted\n5,B\n6,C\n7,A\n")
    assert find_key(labels, predictions) == "id"
    assert pair_values(labels, predictions, "id") == (("a", "b"), ("A", "B"))


def test_a_key_in_the_same_order_is_not_needed(read):
    assert find_key(read("id,y\n1,a\n2,b\n"), read("id,predicted\n1,a\n2,b\n")) == ""


def test_what_has_a_value_twice_is_no_key(read):
    assert find_key(read("g,y\n1,a\n1,b\n"), read("g,predicted\n1,a\n2,b\n")) == ""


def test_a_column_that_is_the_same_in_every_row_says_nothing_of_their_order(read):
    labels, predictions = read("id,fold,y\n7,0,a\n5,0,b\n"), read("id,fold,predicted\n5,0,B\n7,0,A\n")
    assert find_key(labels, predictions) == "id"


def test_rows_that_do_not_go_together_are_refused(read):
    with pytest.raises(UsageError, match="there are 1 labels and 2 predictions"):
        pair_values(read("y\n1\n"), read("y\n1\n2\n"), "")
    with pytest.raises(UsageError, match="1 labels have no prediction, the first where id is '9'"):
        pair_values(read("id,y\n9,1\n"), read("id,predicted\n1,1\n2,2\n"), "id")


def score(name, labels, predictions):
    return METRICS[name].compute([str(one) for one in labels], [str(one) for one in predictions])


def test_the_scores_are_those_of_scikit_learn():
    # Of scikit-learn 1.9.1's functions of these names, for the same lists.
    labels, chances = [0, 0, 1, 1, 1], [0.1, 0.6, 0.4, 0.8, 0.6]
    assert score("auc", labels, chances) == pytest.approx(0.75)
    assert score("logloss", labels, chances) == pytest.approx(0.5343822308972673)
    truth, found = [3, -0.5, 2, 7], [2.5, 0, 2, 8]
    assert score("r2", truth, found) == pytest.approx(0.9486081370449679)
    assert score("mae", truth, found) == 0.5
    assert score("rmse", truth, found) == pytest.approx(math.sqrt(0.375))
    assert score("accuracy", ["cat", "1", "2.0"], ["cat", "1.0", "3"]) == pytest.approx(2 / 3)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_is_the_chance_that_a_positive_is_larger(pairs):
    positives, negatives = [p for label, p in pairs if label], [p for label, p in pairs if not label]
    if positives and negatives:
        wins = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
        labels = ["yes" if label else "no" for label, _ in pairs]
        assert score("auc", labels, [p for _, p in pairs]) == pytest.approx(wins / len(positives) / len(negatives))


@pytest.mark.parametrize(
    ("name", "labels", "predictions", "said"),
    [
        ("rmse", ["1", "x"], ["1", "2"], "the label in row 2 is no finite number"),
        ("mae", ["1", "2"], ["1", "nan"], "the prediction in row 2 is no finite number"),
        ("auc", ["1", "2", "3"], ["1", "2", "3"], "is for two classes, and the labels have 3"),
        ("logloss", ["0", "1"], ["0.5", "1.5"], "takes probabilities"),
        ("r2", ["1", "1"], ["1", "2"], "all labels are the same"),
    ],
)
def test_what_a_metric_is_not_for_is_refused(name, labels, predictions, said):
    with pytest.raises(UsageError) as caught:
        score(name, labels, predictions)
    assert said in str(caught.value)


def test_a_loss_is_a_loss_whichever_way_the_metric_goes():
    assert (METRICS["accuracy"].lose(0.9, 0.7), METRICS["accuracy"].change) == (
        pytest.approx(0.2),
        "decrease in accuracy",
    )
    assert (METRICS["rmse"].lose(1.0, 3.0), METRICS["rmse"].change) == (2.0, "increase in rmse")


def test_the_metric_follows_from_the_labels():
    assert choose_metric(["a", "b"], ["b", "b"]).name == "accuracy"
    assert choose_metric(["0", "1"], ["1.0", "0"]).name == "accuracy"
    assert choose_metric(["1.5", "2"], ["1.4", "2.2"]).name == "rmse"
    assert choose_metric(["1.5", "2"], ["1.5", "2"]).name == "rmse"
    with pytest.raises(UsageError, match="neither labels"):
        choose_metric(["a", "b"], ["0.5", "0.7"])


def test_without_labels_the_shift_counts():
    assert (measure_shift(["1", "2"], ["1", "4"]), name_shift(["1", "2"])) == (1.0, "mean prediction shift")
    assert measure_shift(["a", "b", "1"], ["a", "c", "1.0"]) == pytest.approx(1 / 3)
    assert name_shift(["a", "1"]) == "share of predictions changed"


def test_blanks_around_predictions_do_not_hide_their_shift():
    assert measure_shift([" 1", "2 "], [" 5", " 4"]) == 3.0


def test_predictions_that_are_too_large_have_no_shift():
    with pytest.raises(UsageError, match="row 1 is too large to be scored"):
        measure_shift(["1e308", "1e308"], ["-1e308", "0"])


@pytest.mark.parametrize("name", ["mae", "r2", "rmse", "auc"])
def test_a_prediction_whose_square_is_no_number_has_no_score(name):
    with pytest.raises(UsageError, match="row 2 is too large to be scored"):
        METRICS[name].compute(("0", "1", "1"), ("0", "-1e200", "1"))
