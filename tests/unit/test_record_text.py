"""Run records come back as they were written; what is none is refused by its key."""

import json
import os
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import make_record

from reprobox.errors import UsageError
from reprobox.record_text import find_run, parse_record, read_record
from reprobox.records import format_record


def text_with(**changes):
    return json.dumps({**json.loads(format_record(make_record())), **changes})


def test_a_record_round_trips():
    assert parse_record(format_record(make_record())) == make_record()


def test_a_record_of_an_earlier_version_has_no_metrics_and_one_of_a_later_has_more():
    data = json.loads(text_with(colour="red"))
    del data["metrics"], data["suspects"]
    assert parse_record(json.dumps(data)) == make_record(metrics={}, suspects=())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 9}, "schema_version is 9"),
        ({"seed": "32"}, "^seed is not"),
        ({"seed": True}, "^seed is not"),
        ({"outputs": [{"path": 5, "sha256": "", "size": 1}]}, r"^outputs\[0\]\.path is not"),
        ({"outputs": [{"path": "a"}]}, r"^outputs\[0\]\.sha256 is missing"),
        ({"stages": {}}, "^stages is not"),
        ({"host": None}, "^host is not"),
        ({"switches": {"threads": None}}, r"^switches\.threads is not"),
        ({"metrics": {"a": "b"}}, r"^metrics\.a is not"),
    ],
)
def test_a_wrong_value_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        parse_record(text_with(**changes))


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, "\xff", '{"schema_version": 1}'])
def test_what_is_no_record_is_a_usage_error(tmp_path, text):
    (tmp_path / "run.json").write_text(text, "latin-1")
    with pytest.raises(UsageError, match="is no readable run record"):
        read_record(tmp_path / "run.json")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UsageError, match="it is no file"):
        read_record(tmp_path / "run.json")


def test_a_run_is_found_by_id_folder_or_record(tmp_path):
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(format_record(make_record()))
    for name in ("one", str(folder), str(folder / "run.json")):
        assert find_run(name, tmp_path / "runs") == (folder, make_record())
    with pytest.raises(UsageError, match="there is no run two"):
        find_run("two", tmp_path / "runs")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(json.loads(format_record(make_record())))), json_values)
def test_any_value_anywhere_is_taken_or_refused(key, value):
    with suppress(ValueError):
        parse_record(text_with(**{key: value}))
