"""Every Python that the runtime is said to run under is one that it is tried under."""

import os

import pytest

from .pythons import find_pythons

SAID = tuple(f"3.{minor}" for minor in range(6, 14))


def test_no_python_is_missing():
    missing = [version for version in SAID if version not in find_pythons()]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"the runtime is not tried under Python {', '.join(missing)}: name them in REPROBOX_TEST_PYTHONS")
    assert not missing
