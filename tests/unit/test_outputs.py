"""What is looked at, and what is not, under a run's output folder."""

import os

import pytest

from reprobox.outputs import find_missing, list_outputs
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
