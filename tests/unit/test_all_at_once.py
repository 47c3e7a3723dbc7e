"""Mistakes of different kinds are told in one run: none hides another, nothing follows from another."""

import pytest

from reprobox.errors import SpecError
from reprobox.project import open_project
from reprobox.spec.load import parse_spec
from reprobox.workflow import build_project, check_lock, lock_project

HEAD = "reprobox: 1\nname: x\ncommand: python x.py\n"


def tell(project_folder, text, call=check_lock):
    (project_folder / "spec.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        call(open_project(project_folder))
    return [(one.line, one.column, one.key, one.message) for one in caught.value.problems]


UNKNOWN = (5, 1, "colour", "unknown key")
NEVER_BUILT = (7, 7, "cuda", "torch 2.13.0 was never built for CUDA 9.9")


@pytest.mark.parametrize(
    "call",
    [check_lock, lambda project: lock_project(project, None), lambda project: build_project(project, None)],
    ids=["check", "lock", "build"],
)
def test_an_unknown_key_hides_no_impossible_framework(tmp_path, call):
    text = HEAD + 'seed: 1\ncolour: red\nframeworks: {torch: 2.13.0}\ncuda: "9.9"\n'
    assert tell(tmp_path, text, call) == [UNKNOWN, NEVER_BUILT]


def test_a_wrong_python_hides_no_impossible_version_and_none_follows_from_it(tmp_path):
    text = HEAD + 'seed: 1\npython: "3.8"\nframeworks: {torch: 2.13.0, tensorflow: 2.15.7}\ncuda: "9.9"\n'
    assert tell(tmp_path, text) == [
        (5, 9, "python", "no Debian release has Python 3.8"),
        (6, 41, "frameworks.tensorflow", "there is no tensorflow 2.15.7"),
        NEVER_BUILT,
    ]


@pytest.mark.parametrize("line", ["base: debian:99", 'pythn: "3.13"', 'python: "3"'])
def test_a_python_that_nobody_can_tell_is_held_against_no_framework(tmp_path, line):
    found = tell(tmp_path, HEAD + f"seed: 1\n{line}\nframeworks: {{tensorflow: 2.11.0}}\n")
    assert [one[0] for one in found] == [5]


def test_the_python_of_the_default_base_is_held_against_them(tmp_path):
    found = tell(tmp_path, HEAD + "seed: 1\ncolour: red\nframeworks: {tensorflow: 2.11.0}\n")
    assert found == [UNKNOWN, (6, 26, "frameworks.tensorflow", "tensorflow 2.11.0 has no wheels for Python 3.11")]


def test_a_cuda_that_is_none_is_told_once(tmp_path):
    found = tell(tmp_path, HEAD + "seed: 1\nframeworks: {torch: 2.13.0}\ncuda: twelve\n")
    assert found == [(6, 7, "cuda", "'twelve' is not a CUDA version")]


def problems_of(text):
    with pytest.raises(SpecError) as caught:
        parse_spec(HEAD + text, "spec.yaml", None)
    return [(one.line, one.column, one.key, one.message) for one in caught.value.problems]


def test_an_anchor_does_not_hide_what_is_wrong_with_its_value_or_after_it():
    assert problems_of("seed: &s -1\ncolour: red\n") == [
        (4, 7, "", "&s is a YAML anchor; a spec has none"),
        (4, 7, "seed", "-1 is out of range"),
        UNKNOWN,
    ]


def test_an_alias_of_one_value_stands_for_it_while_the_rest_is_read():
    assert problems_of("seed: &s 1\nresources: {cpus: *s}\ncolour: red\n") == [
        (4, 7, "", "&s is a YAML anchor; a spec has none"),
        (5, 19, "", "*s is a YAML alias; a spec has none"),
        (6, 1, "colour", "unknown key"),
    ]


def test_what_ends_the_reading_hides_nothing_that_was_found_before():
    assert problems_of("seed: 1\nseed: 2\nenv: *none\n") == [
        (5, 1, "seed", "is given twice; the first is on line 4"),
        (6, 6, "", "*none is a YAML alias; a spec has none"),
    ]
