"""Wheels of arbitrary bytes: a layer that stays in the environment, or one clear error."""

import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_wheels import PYTHON, SITE, UpperCompiler, metadata, record_of, save_wheel, wheel_bytes, zip_of

from reprobox.errors import BuildError
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import LayerStore
from reprobox.layers.wheel import make_wheel_layers

INFO = "thing-1.0.dist-info"

WHOLE = wheel_bytes({"thing/__init__.py": "x = 1\n", "thing/data.bin": bytes(range(256)) * 20})
HEADER = st.integers(0, len(WHOLE) - 1)


def check_outcome(tmp_path_factory, data):
    """Either one clear error, or a layer that stays in the venv; nothing else in either case."""
    root = tmp_path_factory.mktemp("fuzz")
    (root / "wheels").mkdir()
    wheel = save_wheel(root / "wheels", data)
    store = LayerStore(root / "cache")
    error = None
    try:
        layers = make_wheel_layers([[wheel]], PYTHON, UpperCompiler(), store)
    except BuildError as exc:
        error = exc
    if error is not None:
        assert error.message.startswith("wheel thing-1.0-py3-none-any.whl")
    else:
        paths = []
        for layer in layers:
            with layer.path.open("rb") as stream:
                paths += [entry.path for entry, _ in read_entries(stream)]
        assert all(path == "opt" or path == "opt/venv" or path.startswith("opt/venv/") for path in paths)
        assert not any(re.search(r"(^|/)\.\.?(/|$)", path) for path in paths)
    assert {path.name for path in root.iterdir()} <= {"wheels", "cache"}


FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.long
@FUZZ
@given(st.lists(st.tuples(HEADER, st.integers(0, 255)), min_size=1, max_size=6))
def test_any_changed_bytes_give_a_layer_or_one_error(tmp_path_factory, changes):
    data = bytearray(WHOLE)
    for where, value in changes:
        data[where] = value
    check_outcome(tmp_path_factory, bytes(data))


START = WHOLE.index(b"PK\x01\x02")


@FUZZ
@given(
    st.lists(st.tuples(st.integers(START, len(WHOLE) - 4), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3)
)
def test_any_change_of_the_table_of_contents_gives_a_layer_or_one_error(tmp_path_factory, changes):
    data = bytearray(WHOLE)
    for where, value in changes:
        data[where : where + len(value)] = value
    check_outcome(tmp_path_factory, bytes(data))


@pytest.mark.long
@FUZZ
@given(st.dictionaries(st.text(max_size=30), st.binary(max_size=20), max_size=4))
@example({"..": b"", "/": b"", "thing-1.0.data/data/../x": b""})
def test_any_names_give_a_layer_or_one_error(tmp_path_factory, files):
    try:
        data = wheel_bytes(files)
    except (ValueError, UserWarning):
        return  # no such zip can be written
    check_outcome(tmp_path_factory, data)


PIECES = st.sampled_from(
    [f"{INFO}/", "thing-1.0.data/", "scripts/", "data/", "lib64/", "..", "/", "a", "METADATA", ".py", "\\"]
)


@pytest.mark.long
@FUZZ
@given(st.dictionaries(st.lists(PIECES, min_size=1, max_size=6).map("".join), st.binary(max_size=20), max_size=4))
def test_any_names_of_hostile_pieces_give_a_layer_or_one_error(tmp_path_factory, files):
    check_outcome(tmp_path_factory, wheel_bytes(files))


@FUZZ
@given(st.text(max_size=200), st.sampled_from(["entry_points.txt", "RECORD", "WHEEL", "METADATA"]))
def test_any_metadata_gives_a_layer_or_one_error(tmp_path_factory, text, name):
    files = {**metadata(), f"{INFO}/RECORD": record_of(metadata()), f"{INFO}/{name}": text.encode("utf-8", "replace")}
    check_outcome(tmp_path_factory, zip_of(files))


@FUZZ
@given(st.binary(max_size=300))
def test_noise_is_refused(tmp_path_factory, noise):
    check_outcome(tmp_path_factory, noise)


def test_golden_wheel_is_whole(tmp_path):
    """The fuzzed wheel itself is a good one, or the tests above would prove nothing."""
    layer, *_ = make_wheel_layers([[save_wheel(tmp_path, WHOLE)]], PYTHON, UpperCompiler(), LayerStore(tmp_path))
    assert f"{SITE}/thing/data.bin".encode() in layer.path.read_bytes()
