"""What .dockerignore leaves out, as Docker does, and lines of ignore files that are no patterns."""

from pathlib import PurePosixPath

import pytest
from docker.utils.build import PatternMatcher
from hypothesis import example, given
from hypothesis import strategies as st

from reprobox.source_rules import parse_docker_rules, parse_git_rules

TOP = PurePosixPath()


def leaves_out(lines, path):
    return parse_docker_rules(lines).decide(PurePosixPath(path), False)


@pytest.mark.parametrize(
    ("lines", "path", "left_out"),
    [
        (["*.csv"], "a.csv", True),
        (["*.csv"], "data/a.csv", None),
        (["**/*.csv"], "a.csv", True),
        (["**/*.csv"], "data/old/a.csv", True),
        (["**.csv"], "data/a.csv", True),
        (["data/**"], "data/a/b", True),
        (["data/**"], "data", None),
        (["data"], "data/a/b", True),
        (["data"], "old/data", None),
        (["/./data//"], "data/a", True),
        (["a/../data"], "data/a", True),
        (["da?a"], "data/a", True),
        (["da?a"], "da/a", None),
        (["*/*.py"], "src/lib/a.py", None),
        (["[a-c]*"], "b1", True),
        (["[^a-c]*"], "b1", None),
        ([r"a\*"], "a*", True),
        ([r"a\*"], "ab", None),
        (["a[1].csv"], "a1.csv", True),
        (["*", "!src", "!requirements.txt"], "src/a.py", False),
        (["*", "!src", "!requirements.txt"], "requirements.txt", False),
        (["*", "!src", "!requirements.txt"], "notes.md", True),
        (["*", "! src", "src/old"], "src/old/a.py", True),
        (["# data", " # odd"], "# odd", True),
        (["", "!", ".", "/", "[", "[z-a]", "a\\", "[]"], "a", None),
    ],
)
def test_dockers_rules(lines, path, left_out):
    assert leaves_out(lines, path) is left_out


names = st.sampled_from(["a", "b", "ab", "a.py", ".a", "(a)"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
segments = st.sampled_from(["a", "b", "*", "**", "?", "*.py", "a*", "*b", "??", "a.py", "(a)", ".", ""])
patterns = st.tuples(st.sampled_from(["", "!", "/", "!/"]), st.lists(segments, min_size=1, max_size=4).map("/".join))
lines_of_patterns = st.lists(patterns.map("".join), max_size=5)


@given(lines_of_patterns, paths)
@example(["*", "!a"], "a/b")
def test_docker_sdk_says_the_same(lines, path):
    assert bool(leaves_out(lines, path)) is _ask_docker_sdk(lines, path)


def _ask_docker_sdk(lines, path):
    """Ask the SDK pattern by pattern: of a path's parents it looks at one alone, where Docker looks at all."""
    above = [str(folder) for folder in PurePosixPath(path).parents][:-1]
    left_out = False
    for pattern in PatternMatcher(lines).patterns:
        if any(pattern.match(one) for one in (*above, path)):
            left_out = not pattern.exclusion
    return left_out


@given(lines_of_patterns, paths)
def test_a_folder_that_something_is_brought_back_from_is_looked_into(lines, path):
    rules = parse_docker_rules(lines)
    if rules.decide(PurePosixPath(path), False) is False:
        for folder in list(PurePosixPath(path).parents)[:-1]:
            assert not rules.decide(folder, True) or rules.may_bring_back_below(folder)


@pytest.mark.parametrize(
    ("line", "folder", "may"),
    [
        ("!src/lib/a.py", "src", True),
        ("!src/lib/a.py", "src/lib", True),
        ("!src/lib/a.py", "data", False),
        ("!src", "src", False),
        ("!*.py", "src", False),
        ("!*/*.py", "src", True),
        ("!**/*.py", "src/lib", True),
        ("!s*/a", "srcs", True),
        ("!s*/a", "data", False),
        ("src/a.py", "src", False),
    ],
)
def test_only_folders_that_something_may_be_brought_back_from_are_looked_into(line, folder, may):
    assert parse_docker_rules([line]).may_bring_back_below(PurePosixPath(folder)) is may


@pytest.mark.parametrize("line", ["!", "[z-a]", "a\\", "/"])
def test_a_line_that_is_no_pattern_of_gits_leaves_the_others(line):
    rules = parse_git_rules([line, "*.csv"], TOP)
    assert rules.decide(PurePosixPath("a.csv"), False) is True
    assert rules.decide(PurePosixPath("a"), False) is None
