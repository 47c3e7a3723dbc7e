"""What YAML itself can get wrong: each is one problem with its line and column."""

import time
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reprobox.errors import SpecError, UsageError
from reprobox.spec.load import load_spec, parse_spec, read_spec
from reprobox.spec.model import Spec
from reprobox.spec.yaml_nodes import MAX_BYTES, decode_text, parse_nodes

MINIMAL = "reprobox: 1\nname: x\nseed: 1\ncommand: python x.py\n"


def only_problem(text):
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml", None)
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "is empty"),
        ("# nothing\n", 1, 1, "is empty"),
        ("~", 1, 1, "is empty"),
        ("--- \n", 1, 1, "is empty"),
        ("- a\n- b\n", 1, 1, "a spec is a mapping of keys to values, such as `name: digits`"),
        ("hello\n", 1, 1, "a spec is a mapping of keys to values, such as `name: digits`"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second YAML document starts here"),
        ("a: *x\n", 1, 4, "*x is a YAML alias; a spec has none"),
        ("a: [*.py]\n", 1, 6, "a text that starts with * must be quoted"),
        ("a: !!python/object:os.system x\n", 1, 4, "!!python/object:os.system is a YAML tag; a spec has none"),
        ("a: !!python/name:os [x]\n", 1, 4, "!!python/name:os is a YAML tag; a spec has none"),
        ("a: !keep.csv\n", 1, 4, "!keep.csv is a YAML tag; a spec has none"),
        ("a: !!str 1\n", 1, 4, "!!str is a YAML tag; a spec has none"),
        ("<<: {a: 1}\n", 1, 1, "<< is a YAML merge key; a spec has none"),
        ("? [a]\n: b\n", 1, 3, "a list or mapping cannot be a key"),
        ("? {a: b}\n: b\n", 1, 3, "a list or mapping cannot be a key"),
        ("? \n: b\n", 1, 2, "a key is missing before the colon"),
        ("a:\n\t- b\n", 2, 1, "a tab; YAML is indented with spaces"),
        ("a: b: c\n", 1, 5, "a colon is not allowed here"),
        ("a: @b\n", 1, 4, "a text cannot start with @"),
        ("a: `b\n", 1, 4, "a text cannot start with `"),
        ("a: %b\n", 1, 4, "a text cannot start with %"),
        ("a: 'b\n", 1, 4, "the quote that opens here is not closed"),
        ("a: [b\nc: d\n", 1, 4, "the bracket that opens here is not closed"),
        ("a: {b\n", 1, 4, "the bracket that opens here is not closed"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "is not valid YAML: expected <block end>, but found '<block mapping start>'"),
        ("a: \0\n", 1, 4, "character U+0000 does not belong in a text file"),
        ("a: 1\nb: x\x1b[31m\n", 2, 5, "character U+001B does not belong in a text file"),
        ("a: \ud800\n", 1, 4, "character U+D800 does not belong in a text file"),
        ('a: "\\ud800"\n', 1, 4, "half of a surrogate pair is not a character"),
        ('a: "\\UFFFFFFFF"\n', 1, 1, "a \\U escape after this place is not a character"),
    ],
)  # fmt: skip
def test_each_thing_a_spec_has_no_use_for_is_one_problem(text, line, column, message):
    problem = only_problem(text)
    assert (problem.line, problem.column, problem.message) == (line, column, message)


def test_positions_count_every_kind_of_line_break_once():
    assert only_problem("a: 1\r\nb: \0").line == 2
    assert only_problem("a: 1\rb: \0").line == 2
    assert only_problem("a: 1\r\nb: *x").line == 2


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "spec.yaml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load_spec(tmp_path / "spec.yaml").name == "x"
    assert parse_spec("\ufeff" + MINIMAL, "s", None).name == "x"


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (MINIMAL.encode() + b"env: {A: \xff}\n", 5, 10, "byte 0xff is not UTF-8"),
        (MINIMAL.encode("utf-16"), 1, 1, "is written in UTF-16"),
        ("# é\n".encode("latin-1"), 1, 3, "byte 0xe9 is not UTF-8"),
        (b"#" * (MAX_BYTES + 1), 0, 0, "is longer than 1,048,576 bytes, the most a spec can have"),
    ],
)
def test_bytes_that_are_no_utf8_text_are_one_problem(tmp_path, data, line, column, message):
    (tmp_path / "spec.yaml").write_bytes(data)
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "spec.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.message) == (line, column, message)


def test_a_key_given_twice_names_both_lines_and_the_rest_is_still_checked():
    text = MINIMAL + "env: {A: 1, A: 2}\nname: y\nseeed: 3\n"
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml", None)
    found = [(problem.line, problem.column, problem.key, problem.message) for problem in caught.value.problems]
    assert found == [
        (5, 13, "env.A", "is given twice; the first is on line 5"),
        (6, 1, "name", "is given twice; the first is on line 2"),
        (7, 1, "seeed", "unknown key"),
    ]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n ", "? "])
def test_deep_nesting_is_refused_at_once(opening):
    started = time.process_time()
    if "\n" in opening:
        text = "".join(" " * depth + "a:\n" for depth in range(2000))
    else:
        text = opening * 100_000
    with pytest.raises(SpecError):
        parse_spec(text, "spec.yaml", None)
    assert time.process_time() - started < 5


def test_a_billion_laughs_is_refused_at_its_first_anchor():
    text = 'a: &a ["x"]\n' + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(9)
    )
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml", None)
    found = [(problem.line, problem.message.split()[0]) for problem in caught.value.problems]
    assert found == [(1, "&a"), (2, "&b"), (2, "*a")]


def test_a_huge_but_legal_spec_is_read_in_reasonable_time():
    text = MINIMAL + "env:\n" + "".join(f"  VARIABLE_{number}: '{number}'\n" for number in range(5_000))
    assert len(parse_spec(text, "s", None).env) == 5_000


def test_a_file_that_is_not_there_or_is_a_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there is no spec at"):
        load_spec(tmp_path / "spec.yaml")
    with pytest.raises(UsageError, match="is a folder"):
        load_spec(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        load_spec(tmp_path / "a\0b")
    with pytest.raises(UsageError, match="cannot be read"):
        load_spec(tmp_path / ("x" * 300))


def test_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(SpecError, match="is longer than"):
        load_spec(Path("/dev/zero"))


def test_a_later_step_can_point_at_any_key_or_its_nearest_parent(tmp_path):
    (tmp_path / "spec.yaml").write_text(MINIMAL + "packages:\n  - numpy\n  - scipy==1.0\nframeworks: {torch: 2.10}\n")
    loaded = read_spec(tmp_path / "spec.yaml")
    where = {key: (loaded.locate(key).line, loaded.locate(key).column) for key in loaded.positions}
    assert where["frameworks.torch"] == (8, 21)
    assert where["packages[1]"] == (7, 5)
    assert loaded.locate("packages[9]") == loaded.locate("packages")
    assert loaded.locate("frameworks.jax.x") == loaded.locate("frameworks")
    assert loaded.locate("python").line == 0
    assert str(loaded.problem("packages[1]", "no such version", "1.1 exists")).endswith(
        "spec.yaml:7:5: packages[1]: no such version\n  hint: 1.1 exists"
    )


YAML_WORDS = st.sampled_from(
    [
        *"[]{},|>~1:%@#\t\\'\"\u2028\x85\ufeffé\U0001f600",
        *("reprobox", "name", "seed", "command", "stages", "train", "env", "base", "packages", "==", "../", "${A}"),
        *(": ", "- ", "\n", "\n  ", "|2\n", "&a", "*a", "!!", "!", "<<", "? ", "---", "...", "0x1", "1e3", "yes"),
        "\\U00110000",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(YAML_WORDS, max_size=40).map("".join) | st.text(max_size=200))
def test_no_text_raises_anything_but_our_own_errors(text):
    for whole in (text, MINIMAL + text):
        with suppress(SpecError):
            parse_spec(whole, "spec.yaml", None)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_own_errors(data):
    with suppress(SpecError):
        parse_nodes(decode_text(data, "spec.yaml"), "spec.yaml", [])


KEYS = st.sampled_from([field.name for field in fields(Spec)])
VALUES = st.recursive(
    st.none() | st.text(max_size=12) | st.integers() | st.floats() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.long
@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_no_shape_of_data_raises_anything_but_our_own_errors(data):
    with suppress(SpecError):
        parse_spec(yaml.safe_dump(data, allow_unicode=True), "spec.yaml", None)
