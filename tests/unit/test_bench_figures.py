"""The speed table's judgement: a limit is missed by more than the noise, or it is met."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from measuring import Figure, Row, make_difference, make_ratio
from results import format_table


def test_a_figure_is_a_median_and_its_noise_half_the_middle_halfs_width():
    figure = Figure((1.0, 2.0, 3.0, 4.0, 100.0))
    assert (figure.median, figure.noise) == (3.0, 1.0)
    assert Figure((5.0,)).noise == 0.0


@pytest.mark.parametrize(
    ("rounds", "limit", "met"),
    [
        ((1.0, 1.0, 1.0), 1.0, True),
        ((1.1, 1.1, 1.1), 1.0, False),
        ((0.9, 1.1, 1.3), 1.0, True),
        ((1.0, 1.3, 1.6), 1.1, False),
        ((9.0,), None, None),
    ],
)
def test_a_limit_is_missed_by_more_than_the_noise(rounds, limit, met):
    assert Row("build", Figure(rounds), "x", limit).met is met


def test_sides_are_set_against_each_other_round_by_round():
    ours, theirs = Figure((10.0, 20.0, 30.0)), Figure((5.0, 20.0, 60.0))
    assert make_ratio(ours, theirs).rounds == (2.0, 1.0, 0.5)
    assert make_difference(ours, theirs).rounds == (5.0, 0.0, -30.0)
    with pytest.raises(ValueError, match="shorter"):
        make_ratio(ours, Figure((1.0,)))


def test_the_table_says_what_is_met_and_what_is_not():
    rows = [Row("a", Figure((1.0,)), "s", 2.0), Row("b", Figure((3.0,)), "s", 2.0), Row("c", Figure((3.0,)), "s")]
    cells = [line.strip("| ").split(" | ") for line in format_table({}, rows).splitlines()]
    assert {one[0]: one[3] for one in cells if one[0] in "abc" and len(one) > 3} == {
        "a": "yes",
        "b": "**no**",
        "c": "not judged",
    }
