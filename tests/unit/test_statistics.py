"""The spread of a number over seeds, against published tables."""

import math
from statistics import NormalDist, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprobox.statistics import (
    band_half_width,
    place_claim,
    student_distribution,
    student_quantile,
    summarize,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, upper critical values of Student's t.
TABLE = {
    1: (3.078, 6.314, 12.706, 31.821, 63.657),
    2: (1.886, 2.920, 4.303, 6.965, 9.925),
    3: (1.638, 2.353, 3.182, 4.541, 5.841),
    5: (1.476, 2.015, 2.571, 3.365, 4.032),
    10: (1.372, 1.812, 2.228, 2.764, 3.169),
    20: (1.325, 1.725, 2.086, 2.528, 2.845),
    29: (1.311, 1.699, 2.045, 2.462, 2.756),
    30: (1.310, 1.697, 2.042, 2.457, 2.750),
    60: (1.296, 1.671, 2.000, 2.390, 2.660),
    100: (1.290, 1.660, 1.984, 2.364, 2.626),
}
PROBABILITIES = (0.90, 0.95, 0.975, 0.99, 0.995)


@pytest.mark.parametrize("freedom", TABLE)
def test_students_quantiles_are_those_of_the_tables(freedom):
    found = [round(student_quantile(probability, freedom), 3) for probability in PROBABILITIES]
    assert found == list(TABLE[freedom])


def test_one_degree_is_cauchy_s_and_two_have_a_closed_form():
    for probability in (0.6, 0.9, 0.999):
        assert student_quantile(probability, 1) == pytest.approx(math.tan(math.pi * (probability - 0.5)), rel=1e-9)
        both = 4 * probability * (1 - probability)
        assert student_quantile(probability, 2) == pytest.approx(
            2 * (probability - 0.5) * math.sqrt(2 / both), rel=1e-9
        )


def test_many_degrees_are_nearly_normal():
    assert student_quantile(0.975, 10**7) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-6)


@given(st.floats(0.001, 0.999), st.integers(1, 500))
def test_the_quantile_undoes_the_distribution(probability, freedom):
    assert student_distribution(student_quantile(probability, freedom), freedom) == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize(("probability", "freedom"), [(0.0, 5), (1.0, 5), (0.5, 0)])
def test_no_quantile_without_a_distribution(probability, freedom):
    with pytest.raises(ValueError, match="probability"):
        student_quantile(probability, freedom)


@pytest.mark.parametrize(("n", "width"), [(3, 4.97), (5, 3.04), (10, 2.37), (20, 2.14), (30, 2.08)])
def test_the_prediction_band_of_n_runs_is_as_wide_as_computed_elsewhere(n, width):
    assert round(band_half_width(n, 0.95), 2) == width


def test_a_worked_example():
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    found = summarize(values)
    assert (found.n, found.median, found.mean, found.minimum, found.maximum) == (8, 4.5, 5.0, 2.0, 9.0)
    assert found.sd == pytest.approx(math.sqrt(32 / 7))
    # t(0.975, 7) = 2.365
    assert found.mean_interval.high - 5 == pytest.approx(2.365 * found.sd / math.sqrt(8), rel=1e-3)
    assert found.prediction_band.high - 5 == pytest.approx(2.365 * found.sd * math.sqrt(9 / 8), rel=1e-3)
    assert (found.lower_quartile, found.upper_quartile) == (4.0, 5.5)
    assert found.range_level == pytest.approx(7 / 9)


def test_one_value_has_no_spread():
    found = summarize([3.0])
    assert (found.median, found.sd, found.mean_interval, found.prediction_band) == (3.0, None, None, None)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_the_deviation_is_the_standard_library_s(values):
    assert summarize(values).sd == pytest.approx(stdev(values), rel=1e-9, abs=1e-9)


def test_a_claim_within_the_band_and_one_beyond():
    values = [float(value) for value in range(30)]
    spread = summarize(values)
    usual, lucky = place_claim(20.0, values, spread), place_claim(60.0, values, spread)
    assert (usual.below, usual.equal, usual.above, usual.inside) == (20, 1, 9, True)
    assert (lucky.below, lucky.above, lucky.inside) == (30, 0, False)
    assert lucky.deviations == pytest.approx((60 - 14.5) / spread.sd)
    assert round(lucky.band_deviations, 2) == 2.08


@pytest.mark.parametrize("n", range(2, 40))
def test_equal_values_have_no_spread_by_rounding(n):
    spread = summarize([0.7] * n)
    assert (spread.mean, spread.sd, spread.prediction_band.low, spread.prediction_band.high) == (0.7, 0.0, 0.7, 0.7)
    assert place_claim(0.7, [0.7] * n, spread).deviations is None


def test_values_that_are_all_the_same_leave_a_band_of_no_width():
    spread = summarize([0.5] * 5)
    assert (spread.sd, spread.prediction_band.low, spread.prediction_band.high) == (0.0, 0.5, 0.5)
    assert place_claim(0.5, [0.5] * 5, spread).inside
    assert not place_claim(0.51, [0.5] * 5, spread).inside
    assert place_claim(0.51, [0.5] * 5, spread).deviations is None
