"""How much a program may leave in a folder, and how it is stopped when that is more."""

import os
import time

import pytest

from reprobox.engines import quota as quotas
from reprobox.engines.base import Quota
from reprobox.engines.ending import Ending
from reprobox.engines.quota import find_excess, find_full_disk, watched_quotas


@pytest.fixture
def folder(tmp_path):
    """A folder with a few things in it: 3 files, 1 folder, 30 bytes."""
    (tmp_path / "sub").mkdir()
    for name in ("a", "b", "sub/c"):
        (tmp_path / name).write_bytes(b"x" * 10)
    return tmp_path


def test_what_is_within_its_quota_is_no_excess(folder):
    assert find_excess(Quota(folder, "/output", 1 << 20, 4)) == ""


def test_too_many_files_and_too_many_bytes_are_told_apart(folder):
    assert find_excess(Quota(folder, "/output", 1 << 20, 3)) == "it wrote more than 3 files to /output"
    assert find_excess(Quota(folder, "/output", 29, 4)) == "it wrote more than 29 bytes to /output"


def test_a_sparse_file_is_as_large_as_it_will_be_read(folder):
    with (folder / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    assert "bytes" in find_excess(Quota(folder, "/output", 1 << 30, 9))


def test_links_are_counted_and_not_followed(folder):
    (folder / "link").symlink_to("/usr")
    assert find_excess(Quota(folder, "/output", 1 << 20, 5)) == ""
    assert "4 files" in find_excess(Quota(folder, "/output", 1 << 20, 4))


def test_a_folder_deeper_than_any_path_hides_nothing(folder):
    here = os.open(folder, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 100, dir_fd=here)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    reason = find_excess(Quota(folder, "/output", 1 << 20, 1000))
    assert reason == "nobody can look into a folder that it made in /output: File name too long"


def test_a_full_disk_is_an_excess_of_its_own(folder, monkeypatch):
    assert find_full_disk(Quota(folder, "/output", 1, 1)) == ""
    monkeypatch.setattr(quotas, "LEAST_FREE", 1 << 60)
    assert "were left on the disk of /output" in find_full_disk(Quota(folder, "/output", 1, 1))


def test_a_run_over_its_quota_is_killed_and_one_within_is_not(folder):
    for size, killed in ((1 << 20, []), (29, ["SIGKILL"])):
        sent = []
        ending = Ending(lambda number, sent=sent: sent.append(number.name))
        with ending.possible(), watched_quotas(ending, (Quota(folder, "/output", size, 9),)):
            time.sleep(0.6)
        assert sent == killed
        assert bool(ending.stopped_for) is bool(killed)


def test_what_a_run_wrote_in_its_last_moment_is_counted_too(folder):
    ending = Ending(lambda number: None)
    with ending.possible(), watched_quotas(ending, (Quota(folder, "/output", 40, 9),)):
        (folder / "late").write_bytes(b"x" * 100)
    assert ending.stopped_for == "it wrote more than 40 bytes to /output"
