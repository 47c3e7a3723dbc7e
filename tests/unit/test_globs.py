"""Patterns of outputs mean what they mean to git, and none of them takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from reprobox.globs import Glob

# Without a set's complement: pathspec's matches a "/" too, which git's does not.
PARTS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[a-b]", ".", "-"]), min_size=1, max_size=4).map("".join)
NAMES = st.text("ab.-", min_size=1, max_size=4)
LINKS = {".", ".."}


def join(parts):
    return st.lists(parts.filter(lambda part: part not in LINKS), min_size=1, max_size=4).map("/".join)


@given(join(PARTS | st.just("**")), st.lists(join(NAMES), max_size=6))
def test_a_pattern_means_what_it_means_to_git(pattern, paths):
    git = GitIgnoreSpec.from_lines([f"/{pattern}"])
    for order in (sorted(paths), paths):
        glob = Glob(pattern)
        assert [glob.names(path) for path in order] == [git.match_file(path) for path in order]


@pytest.mark.parametrize(
    ("pattern", "path", "names"),
    [
        ("[!a]x", "bx", True),
        ("[^a]x", "ax", False),
        ("a[!b]c", "a/c", False),
        ("plots/", "plots/one.png", True),
        ("plots/", "plots", False),
        ("/model.pt", "model.pt", True),
        ("a/**", "a", False),
        ("**", "a", True),
        ("**/**/b", "b", True),
        ("A", "a", False),
        ("*.pt", "deep/model.pt", False),
    ],
)
def test_what_is_special(pattern, path, names):
    assert Glob(pattern).names(path) is names


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 100 + "*b", "a" * 255),
        ("/".join(["**", "a"] * 15 + ["b"]), "/".join(["a"] * 2000)),
        ("**" * 50 + "b", "a" * 255),
    ],
)
def test_no_pattern_takes_long(pattern, path):
    began = time.process_time()
    assert not Glob(pattern).names(path)
    assert time.process_time() - began < 2
