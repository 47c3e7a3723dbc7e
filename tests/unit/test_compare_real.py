"""Files that PyTorch 2.13, joblib 1.6 with scikit-learn 1.9 and Keras 3 on TensorFlow 2.21 wrote, in pairs of runs.

Those called "same" come from runs at level bitwise, the others from runs at level off.
"""

from pathlib import Path

import pytest

from reprobox.compare import Result, compare_files

FOLDER = Path(__file__).parent / "real_files"
LAYERS = ["0.weight", "0.bias", "2.weight", "2.bias"]
EXPECTED = {
    "state.pt": ("torch", 22, LAYERS),
    "checkpoint.pt": ("torch", 75, [*(f"model.{name}" for name in LAYERS), "t", "half", "i"]),
    "whole.pt": ("torch", 90, [f"_modules.{name[0]}._parameters.{name[2:]}" for name in LAYERS]),
    "objects.joblib": ("pickle", 49, ["objs.<array>.<state>[4][0].a", "x"]),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_tensors_that_differ_are_named(name):
    kind, parts, differing = EXPECTED[name]
    found = compare_files(FOLDER / "one" / name, FOLDER / "other" / name)
    assert (found.format, found.result, found.parts) == (kind, Result.DIFFERENT, parts), found
    assert [one.part for one in found.differences] == differing
    assert all(one.numbers for one in found.differences)


@pytest.mark.parametrize("name", ["plain.joblib", "packed.joblib", "lz.joblib"])
def test_a_forest_is_compared_down_to_its_trees_however_it_is_packed(name):
    found = compare_files(FOLDER / "one" / name, FOLDER / "other" / name)
    parts = [one.part for one in found.differences]
    assert (found.format, found.differing_parts) == ("pickle", 26)
    assert parts[0] == "steps[0][1].mean_"
    assert "steps[1][1].estimators_[4].tree_.nodes" in parts


@pytest.mark.parametrize("name", ["same-old.pt", "same.keras"])
def test_addresses_and_times_are_no_content(name):
    one, other = FOLDER / "one" / name, FOLDER / "other" / name
    assert one.read_bytes() != other.read_bytes()
    assert compare_files(one, other).result is Result.SAME_CONTENT
