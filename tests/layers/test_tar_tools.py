"""Canonical tars in the hands of the tar program."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_tar import EVERY_KIND, write

from reprobox.layers.model import EPOCH
from reprobox.layers.read_tar import read_entries
from reprobox.layers.tar import Kind, tar_name

if not shutil.which("tar"):
    pytest.skip("no tar program here", allow_module_level=True)

ENTRIES = sorted((entry for entry in EVERY_KIND if entry.uid == 0), key=tar_name)


def test_tar_unpacks_what_was_written(tmp_path):
    command = ["tar", "-xpf", "-", "--no-same-owner", "--warning=no-unknown-keyword", "-C", str(tmp_path)]
    done = subprocess.run(command, input=write(*ENTRIES), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    for entry in ENTRIES:
        path = tmp_path / tar_name(entry).decode("utf-8", "surrogateescape")
        found = path.lstat()
        if entry.kind is Kind.SYMLINK:
            assert str(path.readlink()) == entry.link
            continue
        assert found.st_mtime == EPOCH
        assert stat.S_ISDIR(found.st_mode) == (entry.kind is Kind.DIR)
        assert stat.S_IMODE(found.st_mode) == entry.mode
        if entry.kind is Kind.HARDLINK:
            assert found.st_ino == (tmp_path / entry.link).stat().st_ino
        elif entry.kind is Kind.FILE:
            assert found.st_size == entry.size


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])
def test_every_format_of_tar_is_read_alike(tmp_path, form):
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_bytes(b"x" * 1000)
    (root / "a" / "b" / "file").chmod(0o640)
    (root / "a" / "hard").hardlink_to(root / "a" / "b" / "file")
    (root / "a" / "soft").symlink_to("b/file")
    name = "n" * (90 if form in ("ustar", "v7") else 180)
    (root / name).write_bytes(b"long")
    command = ["tar", f"--format={form}", "--numeric-owner", "-C", str(root), "-cf", "-", "."]
    tar = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    found = {entry.path: (entry.kind, entry.link, data.read() if data else None) for entry, data in read_entries([tar])}
    kinds = {path: kind for path, (kind, _, _) in found.items()}
    assert found[name] == (Kind.FILE, "", b"long")
    assert found["a/soft"] == (Kind.SYMLINK, "b/file", None)
    assert sorted((kinds["a/hard"], kinds["a/b/file"])) == [Kind.FILE, Kind.HARDLINK]
    assert kinds["a"] == kinds["a/b"] == Kind.DIR
    assert len(found) == 6
