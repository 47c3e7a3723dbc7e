"""The commands that docs/spec.md gives for a folder's sha256 compute what reprobox computes."""

import os
import re
import subprocess
from pathlib import Path

from reprobox.inputs import hash_folder

ROOT = Path(__file__).parents[2]


def test_the_documented_commands_give_the_same_hash(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    (tmp_path / "a-b").write_text("y")
    (tmp_path / "empty" / "x  y").mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to("../a-b")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in (b"new\nline", b"\xffback\\slash", b"-dash"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    (script,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "spec.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == hash_folder(tmp_path)
