"""A failed resolution points at the line of the spec that asked for it."""

import pytest

from reprobox.blame import find_culprits
from reprobox.errors import LockError, LockErrors
from reprobox.resolve.deb_closure import UnknownPackages
from reprobox.spec.load import parse_positions

TEXT = """\
reprobox: 1
name: x
seed: 1
command: python x.py
frameworks:
  torch: 2.13.0
packages:
  - numpy
  - Scikit_Learn==9
system: [hello, libgl]
"""
LOADED = parse_positions(TEXT, "spec.yaml", None)


def places(error):
    return [(problem.line, problem.column, problem.key) for problem in find_culprits(LOADED, error)]


def test_a_framework_is_found_by_its_key():
    assert places(LockError("there is no torch 2.13.0", about="torch")) == [(6, 10, "frameworks.torch")]


def test_a_package_is_found_however_its_name_is_spelled():
    assert places(LockError("there is no scikit-learn 9", about="scikit-learn")) == [(9, 5, "packages[1]")]


@pytest.mark.parametrize(
    ("lines", "about", "line", "key"),
    [
        ("cuda: 12.4\ncudnn: 9.1\n", "cuda", 11, "cuda"),
        ("cuda: 12.4\ncudnn: 9.1\n", "cudnn", 12, "cudnn"),
        ("cuda: auto\n", "cudnn", 11, "cuda"),
    ],
)
def test_cudnn_is_found_by_its_key_or_by_that_of_the_cuda_it_follows_from(lines, about, line, key):
    loaded = parse_positions(TEXT + lines, "spec.yaml", None)
    (found,) = find_culprits(loaded, LockError("does not go together", about=about))
    assert (found.line, found.key) == (line, key)


def test_every_unknown_debian_package_has_its_own_place():
    error = UnknownPackages("bookworm", {"libgl": ("libgl1",), "hello": ()})
    assert places(error) == [(10, 17, "system[1]"), (10, 10, "system[0]")]


def test_what_the_spec_does_not_name_has_no_place():
    assert places(LockError("there is no sympy 1", about="sympy")) == []
    assert places(LockError("the index cannot be reached")) == []


def test_of_several_errors_each_has_its_place_and_one_without_stands_for_the_file():
    known = LockErrors([LockError("there is no torch 2.13.0", about="torch"), LockError("no sympy 1", about="sympy")])
    assert places(LockErrors([UnknownPackages("bookworm", {"hello": ()}), known])) == [
        (10, 10, "system[0]"),
        (6, 10, "frameworks.torch"),
        (0, 0, ""),
    ]
    assert places(LockErrors([LockError("no sympy 1", about="sympy")])) == []


def test_an_item_of_packages_list_has_its_own_place():
    loaded = parse_positions(TEXT.partition("packages")[0] + "packages: {list: [numpy, six]}\n", "spec.yaml", None)
    (found,) = find_culprits(loaded, LockError("there is no six 77.0", about="six"))
    assert (found.line, found.column, found.key) == (7, 26, "packages.list[1]")


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("requirements.txt", "# six\nnumpy # six\n-r more.txt\n", "more.txt:2"),
        ("requirements.txt", "sixer\nSix[a]==77.0\nsix\n", "requirements.txt:2"),
        (
            "pyproject.toml",
            '[project]\nname = "x"\ndependencies = [\n  "sixer",\n  "six==77.0",\n]\n',
            "pyproject.toml:5",
        ),
    ],
)
def test_a_requirement_file_is_named_with_its_line_and_the_key_that_names_it(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    (tmp_path / "more.txt").write_text("\n  six==77.0\n")
    spec = TEXT.partition("packages")[0] + f"packages: {{requirements: {name}}}\n"
    loaded = parse_positions(spec, str(tmp_path / "spec.yaml"), tmp_path)
    (found,) = find_culprits(loaded, LockError("there is no six 77.0", about="six"))
    assert (found.line, found.column, found.key) == (7, 26, "packages.requirements")
    assert found.message == f"{tmp_path}/{line}: there is no six 77.0"
    assert find_culprits(loaded, LockError("there is no sympy 1", about="sympy")) == ()
