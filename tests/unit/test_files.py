"""Files appear whole or not at all, and what killed writers leave is nobody's."""

import errno
import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from reprobox.files import (
    UNFINISHED,
    make_folder_atomic,
    open_atomic,
    open_scratch,
    remove_leftovers,
    remove_tree,
    write_atomic,
)
from reprobox.source import list_source
from reprobox.spec.model import Spec


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_text_is_written_as_utf_8_and_replaces_what_was_there(tmp_path):
    target = tmp_path / "deep" / "file"
    write_atomic(target, "é")
    write_atomic(target, "ü")
    assert target.read_bytes() == "ü".encode()
    assert names(tmp_path / "deep") == {"file"}


@pytest.mark.parametrize("writing", [open_atomic, make_folder_atomic])
def test_a_full_disk_is_told_with_what_was_being_written(tmp_path, writing):
    target = tmp_path / "wanted"
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space left") as caught,
        writing(target),
    ):
        full.write(b"x")
    assert caught.value.filename == str(target)
    assert not names(tmp_path)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "file"
    write_atomic(target, "old")
    with pytest.raises(TypeError), open_atomic(target) as stream:
        stream.write(b"half" + target.read_text())
    assert target.read_text() == "old"
    assert names(tmp_path) == {"file"}


def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    for name in (f".file.abcd{UNFINISHED}", f".other.abcd{UNFINISHED}", ".file.abcd"):
        (tmp_path / name).touch()
    write_atomic(tmp_path / "file", "new")
    assert names(tmp_path) == {"file", f".other.abcd{UNFINISHED}", ".file.abcd"}


def test_a_second_writer_leaves_the_first_ones_file_alone(tmp_path):
    target = tmp_path / "file"
    with open_atomic(target) as stream:
        stream.write(b"first")
        write_atomic(target, "second")
        assert target.read_text() == "second"
    assert target.read_text() == "first"
    assert names(tmp_path) == {"file"}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_where_there_are_no_locks_files_are_written_and_nobody_s_is_removed(tmp_path, monkeypatch, number):
    def refuse(descriptor, operation):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = f".file.abcd{UNFINISHED}"
    (tmp_path / left).touch()
    write_atomic(tmp_path / "file", "new")
    with make_folder_atomic(tmp_path / "folder") as folder:
        (folder / "inside").touch()
    assert names(tmp_path) == {"file", "folder", left}


def test_a_lock_that_fails_otherwise_leaves_no_temporary_file(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="broken"):
        write_atomic(tmp_path / "file", "new")
    with pytest.raises(OSError, match="broken"), make_folder_atomic(tmp_path / "folder"):
        pass
    assert names(tmp_path) == set()


def test_two_writers_of_one_folder_do_not_touch_each_other(tmp_path):
    target = tmp_path / "folder"
    first = make_folder_atomic(target)
    (first.__enter__() / "one").touch()
    with make_folder_atomic(target) as second:
        (second / "two").touch()
        assert len(names(tmp_path)) == 2
    with pytest.raises(OSError, match="not empty"):
        first.__exit__(None, None, None)
    assert names(target) == {"two"}
    assert names(tmp_path) == {"folder"}


def test_the_next_writer_of_a_folder_removes_what_a_killed_one_left(tmp_path):
    (tmp_path / f".folder.abcd{UNFINISHED}" / "deep").mkdir(parents=True)
    (tmp_path / "folder").mkdir()
    with make_folder_atomic(tmp_path / "folder") as folder:
        (folder / "new").touch()
    assert names(tmp_path) == {"folder"}
    assert names(tmp_path / "folder") == {"new"}


def test_a_scratch_folder_is_the_user_s_own_and_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_scratch("reprobox-x-") as folder:
        (folder / "sub").mkdir()
        assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
        with open_scratch("reprobox-x-") as other:
            assert folder.exists()
            assert other != folder
    assert list(tmp_path.iterdir()) == []


def test_other_users_leftovers_stay(tmp_path):
    left = tmp_path / f"reprobox-x-1{UNFINISHED}"
    left.mkdir()
    remove_leftovers(tmp_path, "reprobox-x-", owner=os.geteuid() + 1)
    assert left.exists()
    remove_leftovers(tmp_path, "reprobox-x-", owner=os.geteuid())
    assert not left.exists()


def test_an_unfinished_file_is_no_source(tmp_path):
    (tmp_path / f".spec.lock.abcd{UNFINISHED}").write_text("half")
    (tmp_path / "train.py").touch()
    found = list_source(tmp_path, Spec(reprobox=1, name="x", seed=1, command=("true",)))
    assert [file.path for file in found] == ["train.py"]


def test_a_pipe_or_a_link_of_such_a_name_is_neither_waited_for_nor_followed(tmp_path):
    kept = tmp_path / "kept"
    (kept / "inside").mkdir(parents=True)
    os.mkfifo(tmp_path / f".file.pipe{UNFINISHED}")
    (tmp_path / f".file.link{UNFINISHED}").symlink_to(kept)
    write_atomic(tmp_path / "file", "new")
    assert (kept / "inside").is_dir()
    assert (tmp_path / "file").read_text() == "new"


def test_a_tree_deeper_than_any_path_is_removed_with_links_and_closed_folders(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(kept)
    (tree / "folder-link").symlink_to(tmp_path)
    os.mkfifo(tree / "pipe")
    (tree / "closed").mkdir()
    (tree / "closed" / "file").write_text("x")
    (tree / "closed").chmod(0)
    here = os.open(tree, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 50, dir_fd=here)
        inner = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    remove_tree(tree)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_link_to_a_tree_is_no_tree(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    with pytest.raises(OSError, match="Not a directory"):
        remove_tree(tmp_path / "link")
    assert (tmp_path / "tree").is_dir()
