"""What several unit tests use."""

import pytest

from reprobox.compare import compare_files
from tests.screens import Terminal


@pytest.fixture
def terminal(monkeypatch):
    """A terminal that keeps what is written to it."""
    for name, value in (("COLUMNS", "80"), ("LINES", "24"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    return Terminal()


@pytest.fixture
def compare(tmp_path):
    """A function: a file name, two contents -> what comparing files of them finds."""

    def write_and_compare(name, one, other, tolerance=None):
        for folder, data in (("a", one), ("b", other)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_bytes(data)
        return compare_files(tmp_path / "a" / name, tmp_path / "b" / name, tolerance)

    return write_and_compare
