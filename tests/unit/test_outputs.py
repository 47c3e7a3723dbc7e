"""What is looked at, and what is not, under a run's output folder."""

import os

import pytest

from reprobox.outputs import Unread, compare_unread, find_missing, list_outputs, list_unread, select_unread
from reprobox.records import OutputFile

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_file_is_listed_with_its_hash(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/a.pt").write_bytes(b"")
    (tmp_path / "b.csv").write_bytes(b"1,2\n")
    files, warnings = list_outputs(tmp_path)
    assert [(file.path, file.size) for file in files] == [("b.csv", 4), ("models/a.pt", 0)]
    assert files[1].sha256 == EMPTY
    assert warnings == ()


def test_links_are_reported_and_never_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")
    output = tmp_path / "output"
    output.mkdir()
    (output / "link").symlink_to(secret)
    (output / "folder").symlink_to("/etc")
    files, warnings = list_outputs(output)
    assert files == ()
    assert len(warnings) == 2


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    files, warnings = list_outputs(tmp_path)
    assert files == ()
    assert warnings == ("output 'pipe' was not read: it is not a regular file",)


@pytest.mark.parametrize(
    ("declared", "missing"),
    [("model.pt", False), ("models/", False), ("models", False), ("*.pt", False), ("models/*.bin", True), ("pt", True)],
)
def test_declared_outputs_may_be_files_folders_or_globs(declared, missing):
    present = (OutputFile("model.pt", EMPTY, 0), OutputFile("models/a.h5", EMPTY, 0))
    assert find_missing((declared,), present) == ((declared,) if missing else ())


def test_what_is_no_file_that_can_be_read_is_listed_and_not_opened(tmp_path):
    output = tmp_path / "output"
    (output / "models").mkdir(parents=True)
    (output / "models" / "last.pt").write_text("x")
    (output / "models" / "best.pt").symlink_to("last.pt")
    (output / "away").symlink_to("/etc")
    (output / "own").symlink_to(output / "models")
    os.mkfifo(output / "pipe")
    (output / "added later").write_text("x")
    found = list_unread(output, {"models/last.pt"})
    assert found == (
        Unread("away", "a link to /etc", False),
        Unread("models/best.pt", "a link to last.pt", False),
        Unread("own", "a link to /output/models", False),
        Unread("pipe", "a pipe", False),
    )
    assert [one.path for one in select_unread(("models/",), found)] == ["models/best.pt"]
    assert list_unread(tmp_path / "gone", ()) == ()


def test_what_lies_too_deep_to_be_opened_is_said_to(tmp_path):
    parent = os.open(tmp_path, os.O_RDONLY)
    for _ in range(17):
        os.mkdir("d" * 250, dir_fd=parent)
        inside = os.open("d" * 250, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = inside
    os.close(parent)
    files, warnings = list_outputs(tmp_path)
    assert (files, bool(warnings)) == ((), True)
    (found,) = list_unread(tmp_path, ())
    assert (found.closed, "File name too long" in found.what) == (True, True)


def test_two_that_were_not_read_are_compared_by_what_is_known():
    link, other = (Unread("x", f"a link to {name}", False) for name in "ab")
    closed = Unread("x", "it cannot be read: Permission denied", True)
    assert compare_unread(link, link) == ("", True)
    assert compare_unread(link, other) == ("a link to a against a link to b", True)
    assert compare_unread(None, other) == ("a file against a link to b", True)
    assert compare_unread(closed, closed) == ("it cannot be read: Permission denied", False)
    assert compare_unread(None, closed) == ("it cannot be read: Permission denied", False)


def test_a_folder_as_deep_as_names_may_be_is_walked(tmp_path):
    path = tmp_path
    for _ in range(1200):
        path = path / "d"
        path.mkdir()
    (path / "bottom").write_text("x")
    try:
        files, warnings = list_outputs(tmp_path)
        assert [file.path for file in files] == ["d/" * 1200 + "bottom"]
        assert warnings == ()
    finally:
        # pytest's own tidying calls itself for every level.
        (path / "bottom").unlink()
        while path != tmp_path:
            path.rmdir()
            path = path.parent


def test_no_output_runs_as_its_owner(tmp_path):
    (tmp_path / "root").write_text("#!/bin/sh\n")
    (tmp_path / "root").chmod(0o6755)
    (tmp_path / "plain").write_text("x")
    (tmp_path / "plain").chmod(0o755)
    files, warnings = list_outputs(tmp_path)
    assert [file.path for file in files] == ["plain", "root"]
    assert {(tmp_path / name).stat().st_mode & 0o7777 for name in ("root", "plain")} == {0o755}
    assert warnings == ("output 'root' ran as whoever owns it: that mode was taken away",)
