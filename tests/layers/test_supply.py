"""What a build that failed may hope for from having its files again."""

import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from made_wheels import PYTHON, make_wheel

from reprobox.console import PlainReporter
from reprobox.errors import ReproboxError
from reprobox.lock import Wheel
from reprobox.settings import Settings
from reprobox.supply import Supply


@pytest.fixture
def supply(tmp_path):
    nowhere = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    settings = Settings(
        tmp_path / "cache",
        tmp_path,
        nowhere,
        (os.getuid(), os.getgid()),
        PlainReporter(io.StringIO()),
        lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Supply(settings, tmp_path)


def test_only_files_that_are_here_and_damaged_are_worth_another_try(supply, tmp_path):
    wheel, path = make_wheel(tmp_path, {"thing/__init__.py": ""})
    supply.blobs.add_file(path, wheel.sha256)
    kept = supply.fetch_wheels([wheel], PYTHON)[wheel.sha256]
    assert not supply.drop_damaged()
    status = kept.stat()
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert supply.drop_damaged()
    assert not kept.exists()


def test_a_file_that_is_nowhere_is_not_asked_for_twice(supply):
    wheel = Wheel("thing", "1.0", "thing-1.0-py3-none-any.whl", "0" * 64, 100)
    with pytest.raises(ReproboxError):
        supply.fetch_wheels([wheel], PYTHON)
    assert not supply.drop_damaged()
