"""Records that a program left in the runtime's place."""

import json

import pytest

from reprobox.fragments import find_peak_memory, merge_suspects, read_fragments
from reprobox.records import RuntimeRecord, Suspect


def leave(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.json").write_text(text)


def test_what_the_runtime_wrote_is_merged_in_order_with_each_warning_once(tmp_path):
    leave(tmp_path, b='{"pid": 2, "warnings": ["odd", 5]}', a='{"pid": 1, "warnings": ["odd"]}')
    record = read_fragments(tmp_path)
    assert [fragment["pid"] for fragment in record.processes] == [1, 2]
    assert record.warnings == ("odd",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "[]",
        '{"x": NaN}',
        '{"x": Infinity}',
        '{"x": ' + "[" * 800 + "]" * 800 + "}",
        '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"x": 1' + "0" * 10_000 + "}",
        '{"x": "' + "y" * 300_000 + '"}',
    ],
    ids=range(9),
)
def test_what_it_cannot_have_written_is_a_warning(tmp_path, text):
    leave(tmp_path, a=text, b='{"pid": 1}')
    record = read_fragments(tmp_path)
    assert record.processes == ({"pid": 1},)
    assert len(record.warnings) == 1
    assert "a.json" in record.warnings[0]


def test_too_many_or_too_large_ones_together_are_not_all_read(tmp_path):
    for number in range(300):
        leave(tmp_path, **{f"{number:03}": json.dumps({"x": "y" * 200_000})})
    record = read_fragments(tmp_path)
    assert 100 < len(record.processes) < 200
    assert "too many" in record.warnings[-1]


@pytest.mark.parametrize(("sizes", "peak"), [([], None), ([5, 9, 7], 9), ([10**4000, -5, "x", 3], 3)])
def test_the_peak_is_a_size_that_can_be(sizes, peak):
    record = RuntimeRecord(tuple({"max_rss": size} for size in sizes), ())
    assert find_peak_memory(record) == peak


def note(kind, where, count, detail=""):
    return {"kind": kind, "where": where, "count": count, "detail": detail}


def test_suspects_of_all_processes_are_added_up_the_most_frequent_first():
    one = {"suspects": [note("os-entropy", "a.py:3", 1), note("listing-order", "b.py:9", 2)]}
    two = {"suspects": [note("os-entropy", "a.py:3", 4, "secrets"), note("os-entropy", "a.py:4", 2)]}
    assert merge_suspects(RuntimeRecord((one, two, {}), ())) == (
        Suspect("os-entropy", "a.py:3", 5, "secrets"),
        Suspect("listing-order", "b.py:9", 2, ""),
        Suspect("os-entropy", "a.py:4", 2, ""),
    )


@pytest.mark.parametrize(
    "value", ["x", 5, {"a": 1}, [5], [{}], [note(3, "a", 1)], [note("a", "b", True)], [note("a", "b", 10**400)]]
)
def test_suspects_that_the_runtime_did_not_write_are_none(value):
    assert merge_suspects(RuntimeRecord(({"suspects": value},), ())) == ()
