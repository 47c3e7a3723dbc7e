"""What a wheel's layer holds, beside what venv and pip make with a real interpreter."""

import csv
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from made_wheels import make_wheel

from reprobox.layers.files import VENV_DIFFERENCES, venv_entries
from reprobox.layers.tar import Kind
from reprobox.layers.wheel_files import DIFFERENCES_FROM_PIP, VENV
from reprobox.layers.wheel_tar import open_wheels, read_data
from reprobox.lock import PythonTarget

FILES = {
    "thing/__init__.py": "x = 1\n",
    "thing/sub/data.bin": bytes(range(256)),
    "thing/run.sh": "#!/bin/sh\n",
    "ünï/cödé.py": "",
    "comma,and space.txt": "a,b",
    "thing-1.0.data/purelib/from_data.py": "y = 2\n",
    "thing-1.0.data/platlib/thing/extra.so": b"\x7fELF",
    "thing-1.0.data/scripts/tool": "#!python -u\nprint(1)\n",
    "thing-1.0.data/scripts/shell": "#!/bin/sh\n",
    "thing-1.0.data/scripts/entry": "the entry point of the same name is installed instead",
    "thing-1.0.data/data/share/thing.txt": "data",
    "thing-1.0.data/headers/thing.h": "header",
    "thing-1.0.dist-info/licenses/LICENSE": "free",
    "thing-1.0.dist-info/entry_points.txt": "[console_scripts]\nentry = thing.m:cli.run\n[gui_scripts]\ng = thing:m\n",
}
SCRIPTS = ("bin/entry", "bin/g")
"""Made from entry points: the text is that of pip 26, and older ones write another with the same effect."""


@pytest.fixture(scope="module")
def python():
    """The interpreter under this one's own environment, as the lock would have it."""
    executable = os.path.realpath(sys.executable)
    return PythonTarget(".".join(map(str, sys.version_info[:3])), executable, "2.99")


@pytest.fixture
def venv(tmp_path, python):
    command = [python.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(command, check=True, timeout=120)
    return tmp_path / "venv"


def tree_of(root):
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = (
                stat.S_IMODE(path.stat().st_mode),
                path.read_bytes().replace(str(root).encode(), b"/opt/venv"),
            )
        elif "lib64" not in name:
            found[name] = ("folder", "")
    return found


def ours_of(entry, data):
    match entry.kind:
        case Kind.SYMLINK:
            return ("link", entry.link)
        case Kind.DIR:
            return ("folder", "")
    return (entry.mode, data)


def test_venv_is_what_python_makes(venv, python):
    theirs = tree_of(venv)
    for name in VENV_DIFFERENCES:
        del theirs[name]
    ours = {entry.path: ours_of(entry, data) for entry, data in venv_entries(python)}
    assert {path.removeprefix(f"{VENV}/"): item for path, item in ours.items() if path not in ("opt", VENV)} == theirs


def test_wheel_is_what_pip_installs(venv, python, tmp_path):
    before = tree_of(venv)
    wheel, path = make_wheel(tmp_path, FILES, executable=("thing/run.sh", "thing-1.0.data/scripts/tool"))
    subprocess.run([python.executable, "-m", "venv", str(tmp_path / "pip")], check=True, timeout=120)
    pip = [
        str(tmp_path / "pip" / "bin" / "pip"),
        "--python",
        str(venv / "bin" / "python"),
        "install",
        "--no-index",
        "--no-deps",
    ]
    pip += ["--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--root-user-action=ignore", str(path)]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=120, umask=0o022)
    assert done.returncode == 0, done.stderr
    theirs = {name: item for name, item in tree_of(venv).items() if name not in before and item[0] != "folder"}
    with open_wheels([(wheel, path)], python) as placed:
        ours = {
            path.removeprefix(f"{VENV}/"): (0o755 if item.file.executable else 0o644, read_data(item))
            for path, item in placed.items()
        }
    different = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    info = f"lib/python{'.'.join(python.version.split('.')[:2])}/site-packages/thing-1.0.dist-info"
    assert different <= {*SCRIPTS, *(f"{info}/{name}" for name in DIFFERENCES_FROM_PIP)}
    assert rows_of(ours[f"{info}/RECORD"][1]) == rows_of(theirs[f"{info}/RECORD"][1])


def rows_of(record):
    """RECORD's rows, but for those of files that differ here (bin/tool names the environment's own path)."""
    names = ("bin/tool", "scripts/entry", *SCRIPTS, *DIFFERENCES_FROM_PIP)
    return [row for row in csv.reader(record.decode().splitlines()) if not row[0].endswith(names)]
