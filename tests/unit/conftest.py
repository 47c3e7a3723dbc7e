"""What several unit tests use."""

import pytest

from reprobox.compare import compare_files


@pytest.fixture
def compare(tmp_path):
    """A function: a file name, two contents -> what comparing files of them finds."""

    def write_and_compare(name, one, other, tolerance=None):
        for folder, data in (("a", one), ("b", other)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_bytes(data)
        return compare_files(tmp_path / "a" / name, tmp_path / "b" / name, tolerance)

    return write_and_compare
