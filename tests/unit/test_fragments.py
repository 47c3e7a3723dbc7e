"""Records that a program left in the runtime's place."""

import json

import pytest

from reprobox.fragments import find_peak_memory, read_fragments
from reprobox.records import RuntimeRecord


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
