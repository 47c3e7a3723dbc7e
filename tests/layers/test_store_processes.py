"""The layer cache under several processes, kill -9 and a full disk."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from reprobox.errors import BuildError
from reprobox.layers.spool import Spool
from reprobox.layers.store import LayerStore

MAKER = """
import sys, time
from pathlib import Path
from reprobox.layers.store import LayerStore
root, key, pause = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
def write(out):
    print("making", flush=True)
    for number in range(50):
        out.write(bytes([number]) * 100_000)
        time.sleep(pause)
layer = LayerStore(root).make(key, "layer", write)
print(layer.diff_id, layer.cached, flush=True)
"""


def start(root, key="key", pause=0.0):
    return subprocess.Popen(
        [sys.executable, "-c", MAKER, str(root), key, str(pause)], stdout=subprocess.PIPE, text=True
    )


def finish(process):
    output, _ = process.communicate(timeout=60)
    return output.split("\n")


def kept_files(root):
    return sorted(path.parent.name for path in root.rglob("*") if path.is_file() and path.parent.name != "locks")


def test_two_processes_make_a_layer_once(tmp_path):
    processes = [start(tmp_path, pause=0.005) for _ in range(3)]
    outputs = [finish(process) for process in processes]
    assert sum(output.count("making") for output in outputs) == 1
    assert len({output[-2].split()[0] for output in outputs}) == 1
    assert kept_files(tmp_path) == ["blobs", "keys"]


def test_kill_at_any_moment_leaves_nothing_that_is_trusted(tmp_path):
    expected = finish(start(tmp_path / "whole"))[-2].split()[0]
    moments = random.Random(1)
    root = tmp_path / "killed"
    for number in range(10):
        process = start(root, key=f"key {number}", pause=0.003)
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.17))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        layer = LayerStore(root).find(f"key {number}")
        assert layer is None or layer.diff_id == expected
    assert finish(start(root, key="last"))[-2].split()[0] == expected
    assert set(kept_files(root)) == {"blobs", "keys"}


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or not mount or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk, and not in every container")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_one_clear_error_and_leaves_the_space_free(small_disk):
    store = LayerStore(small_disk)
    small = store.make("small", "small", lambda out: out.write(b"x" * 1_000_000))
    with pytest.raises(BuildError, match=f"no space left in {small_disk}.*'torch 2.13.0'"):
        store.make("large", "torch 2.13.0", lambda out: [out.write(bytes(1_000_000)) for _ in range(20)])
    assert store.find("large") is None
    assert store.find("small") == small.__class__(small.diff_id, small.size, "small", small.path, cached=True)
    store.make("other", "other", lambda out: out.write(b"y" * 2_000_000))


def test_full_disk_under_what_waits_for_its_layer_is_the_same_clear_error(small_disk):
    store = LayerStore(small_disk)
    said = r"no space left in .*'torch 2.13.0'"
    with pytest.raises(BuildError, match=said), Spool(store, "torch 2.13.0") as spool:
        spool.add(bytes(20_000_000))
    store.make("small", "small", lambda out: out.write(b"x" * 3_000_000))


def test_what_waits_is_read_by_its_place(tmp_path):
    with Spool(LayerStore(tmp_path), "layer") as spool:
        places = [spool.add(data) for data in (b"one", b"", b"three" * 1_000_000)]
        assert [spool.read(place) for place in reversed(places)] == [b"three" * 1_000_000, b"", b"one"]
