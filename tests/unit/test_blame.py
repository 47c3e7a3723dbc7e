"""A failed resolution points at the line of the spec that asked for it."""

from reprobox.blame import find_culprits
from reprobox.errors import LockError
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


def test_every_unknown_debian_package_has_its_own_place():
    error = UnknownPackages("bookworm", {"libgl": ("libgl1",), "hello": ()})
    assert places(error) == [(10, 17, "system[1]"), (10, 10, "system[0]")]


def test_what_the_spec_does_not_name_has_no_place():
    assert places(LockError("there is no sympy 1", about="sympy")) == []
    assert places(LockError("the index cannot be reached")) == []
