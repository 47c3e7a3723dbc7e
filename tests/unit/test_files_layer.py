"""Layers of files at hand, and the venv's own files."""

import hashlib

import pytest

from reprobox.errors import BuildError
from reprobox.layers.files import make_files_layer, venv_entries
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import make_dir, make_file, make_symlink
from reprobox.lock import PythonTarget


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path / "cache")


def contents(layer):
    with layer.path.open("rb") as stream:
        return [(entry, data.read() if data else None) for entry, data in read_entries(stream)]


def test_entries_come_in_any_order_and_from_memory_or_disk(store, tmp_path):
    (tmp_path / "train.py").write_bytes(b"print()")
    items = [
        (make_file("work/train.py", 7), tmp_path / "train.py"),
        (make_dir("work"), None),
        (make_file("a", 1), b"x"),
    ]
    expected = [(make_file("a", 1), b"x"), (make_dir("work"), None), (make_file("work/train.py", 7), b"print()")]
    one = make_files_layer(items, "one", "source", store)
    assert contents(one) == expected
    assert make_files_layer(items[::-1], "two", "source", store).diff_id == one.diff_id


@pytest.mark.parametrize("now", [b"prinT()", b"print", b"print()\n"])
def test_file_that_changed_since_it_was_hashed_makes_no_layer(store, tmp_path, now):
    path = tmp_path / "train.py"
    path.write_bytes(now)
    digests = {"work/train.py": hashlib.sha256(b"print()").hexdigest()}
    with pytest.raises(BuildError, match=r"train\.py: was changed"):
        make_files_layer([(make_file("work/train.py", 7), path)], "key", "source", store, digests=digests)
    assert store.find("key") is None


def test_missing_file_is_named(store, tmp_path):
    with pytest.raises(BuildError, match=r"gone\.py: cannot be read"):
        make_files_layer([(make_file("a", 1), tmp_path / "gone.py")], "key", "source", store)


def test_golden_venv(store):
    """Changes only with LAYER_FORMAT, and then on purpose."""
    python = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
    layer = make_files_layer(venv_entries(python), "key", "venv", store)
    assert layer.diff_id == "sha256:82c6741fbdc1ba9bf60d0026ea7bd69c12f250ea01c48a3cb84391cb69223d5c"


@pytest.mark.parametrize(
    ("version", "more"),
    [("3.9.2", set()), ("3.11.2", {"include/python3.11"}), ("3.13.5", {"include/python3.13", ".gitignore"})],
)
def test_venv_has_what_each_python_puts_into_one(version, more):
    short = version.rpartition(".")[0]
    entries = {entry.path: entry for entry, _ in venv_entries(PythonTarget(version, f"/usr/bin/python{short}", "2.36"))}
    assert {path.removeprefix("opt/venv/") for path in entries if path.startswith("opt/venv/")} - more == {
        "bin",
        "bin/python",
        "bin/python3",
        f"bin/python{short}",
        "include",
        "lib",
        "lib64",
        f"lib/python{short}",
        f"lib/python{short}/site-packages",
        "pyvenv.cfg",
    }
    assert entries[f"opt/venv/bin/python{short}"] == make_symlink(
        f"opt/venv/bin/python{short}", f"/usr/bin/python{short}"
    )
