"""The layer cache: made once, verified, and never trusting what a crash left."""

import errno
import fcntl
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from reprobox.errors import BuildError
from reprobox.layers.store import DamagedLayer, LayerStore


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path)


def files_in(root):
    return sorted(path.relative_to(root).parts[2] for path in root.rglob("*") if path.is_file())


def refuse(stream):
    raise AssertionError("made twice")


def test_layer_is_made_once_and_found_after(store, tmp_path):
    made = store.make("key", "torch 2.13.0", lambda out: out.write(b"layer"))
    assert made.diff_id == f"sha256:{hashlib.sha256(b'layer').hexdigest()}"
    assert (made.size, made.what, made.cached) == (5, "torch 2.13.0", False)
    for again in (store.make("key", "torch 2.13.0", refuse), LayerStore(tmp_path).find("key")):
        assert again == made.__class__(made.diff_id, 5, "torch 2.13.0", made.path, cached=True)
    assert b"".join(store.read_verified(made)) == b"layer"
    assert store.find("another key") is None


def test_two_keys_with_the_same_bytes_share_one_blob(store):
    one = store.make("one", "one", lambda out: out.write(b"same"))
    two = store.make("two", "two", lambda out: out.write(b"same"))
    assert one.path == two.path


def test_many_small_and_large_writes_are_hashed_in_order(store):
    parts = [bytes([n % 256]) * (n * 997 % 70_000) for n in range(200)] + [b"z" * 3_000_000]
    layer = store.make("key", "parts", lambda out: [out.write(part) for part in parts])
    assert layer.path.read_bytes() == b"".join(parts)
    assert layer.diff_id == f"sha256:{hashlib.sha256(b''.join(parts)).hexdigest()}"


def test_failure_while_writing_leaves_nothing(store, tmp_path):
    def fail(out):
        out.write(b"x" * 2_000_000)
        raise BuildError("bad wheel")

    with pytest.raises(BuildError, match="bad wheel"):
        store.make("key", "layer", fail)
    assert store.find("key") is None
    assert files_in(tmp_path) == ["locks"]


@pytest.mark.parametrize(("number", "problem"), [(errno.ENOSPC, "no space left in"), (errno.EIO, "cannot write")])
def test_disk_errors_name_the_place(store, tmp_path, number, problem):
    def fail(out):
        raise OSError(number, "the disk")

    with pytest.raises(BuildError, match=problem) as caught:
        store.make("key", "torch 2.13.0", fail)
    assert str(tmp_path) in caught.value.message
    assert "torch 2.13.0" in caught.value.message


def test_flipped_byte_is_found_and_the_layer_can_be_made_again(store):
    layer = store.make("key", "layer", lambda out: out.write(b"layer"))
    layer.path.write_bytes(b"lAyer")
    with pytest.raises(DamagedLayer, match="does not have its digest"):
        list(store.read_verified(layer))
    assert store.find("key") is None
    assert store.make("key", "layer", lambda out: out.write(b"layer")).diff_id == layer.diff_id


def test_layer_that_vanished_is_damaged_too(store):
    layer = store.make("key", "layer", lambda out: out.write(b"layer"))
    layer.path.unlink()
    with pytest.raises(DamagedLayer, match="cannot be read"):
        list(store.read_verified(layer))


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"{}", b'{"diff_id": 1, "size": 5, "what": ""}'])
def test_torn_record_is_no_layer(store, tmp_path, record):
    store.make("key", "layer", lambda out: out.write(b"layer"))
    next(tmp_path.rglob("keys/*.json")).write_bytes(record)
    assert store.find("key") is None
    assert not store.make("key", "layer", lambda out: out.write(b"layer")).cached


def test_truncated_blob_is_no_layer(store):
    layer = store.make("key", "layer", lambda out: out.write(b"layer"))
    layer.path.write_bytes(b"laye")
    assert store.find("key") is None


def test_leftovers_of_dead_processes_are_removed_and_living_ones_kept(store, tmp_path):
    store.make("key", "layer", lambda out: out.write(b"layer"))
    folder = next(tmp_path.rglob("tmp"))
    (folder / "dead").write_bytes(b"half")
    with (folder / "living").open("wb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        LayerStore(tmp_path).make("other", "layer", lambda out: out.write(b"other"))
        assert [path.name for path in folder.iterdir()] == ["living"]


def test_threads_asking_for_one_key_make_it_once(tmp_path):
    made = []
    barrier = threading.Barrier(8)

    def make(_):
        barrier.wait()
        return LayerStore(tmp_path).make("key", "layer", lambda out: made.append(out.write(b"layer")))

    with ThreadPoolExecutor(8) as pool:
        layers = list(pool.map(make, range(8)))
    assert made == [5]
    assert len({layer.diff_id for layer in layers}) == 1
    assert sorted(layer.cached for layer in layers) == [False] + [True] * 7
