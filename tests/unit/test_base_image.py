"""Bases that others made: saved images byte for byte, root-file-system archives canonically."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile

import pytest
import zstandard
from debian_archive import make_tar

from reprobox.errors import BuildError, LockError
from reprobox.layers.base_image import find_image_layers, is_saved_image, make_archive_layer, read_saved_image
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import LayerStore
from reprobox.lock import ArchiveBase
from reprobox.resolve.base import read_base_layers


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path / "store")


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def save_image(*layers, pack=lambda data: data, images=1, diff_ids=None):
    """Make what ``docker save`` writes; ``pack`` compresses the layers, as the containerd store does."""
    config = {
        "architecture": "amd64",
        "config": {"Env": ["A=1"]},
        "rootfs": {"diff_ids": diff_ids or list(map(digest, layers))},
    }
    config = json.dumps(config).encode()
    names = [f"blobs/{number}" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "blobs/config", "Layers": names}] * images).encode()
    return make_tar(("blobs/config", config), *zip(names, map(pack, layers), strict=True), ("manifest.json", manifest))


_LAYERS = (make_tar(("etc/a", b"1")), make_tar(("etc/.wh.a", b"")))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: zstandard.ZstdCompressor().compress(data)])
def test_the_layers_of_an_image_are_kept_byte_for_byte(store, pack):
    saved = read_saved_image([save_image(*_LAYERS, pack=pack)], "demo", store)
    assert [b"".join(store.read_verified(layer)) for layer in saved.layers] == list(_LAYERS)
    assert (saved.architecture, saved.env) == ("amd64", ("A=1",))
    assert find_image_layers(map(digest, _LAYERS), store) is not None
    assert find_image_layers([digest(b"another")], store) is None


def test_the_config_digest_is_of_the_bytes_in_the_archive(store):
    archive = save_image(*_LAYERS)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        config = tar.extractfile("blobs/config").read()
    assert read_saved_image([archive], "demo", store).config_digest == digest(config)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "demo is damaged"),
        (b"junk" * 500, "demo is damaged"),
        (make_tar(("etc/passwd", b"")), "no image that `docker save` wrote"),
        (make_tar(("manifest.json", b"{}")), "holds 0 images"),
        (make_tar(("manifest.json", b"[{}]")), "no image"),
        (save_image(*_LAYERS, images=2), "holds 2 images instead of one"),
        (save_image(*_LAYERS, diff_ids=[digest(b"")]), "2 layers instead of 1"),
        (save_image(*_LAYERS, diff_ids=[digest(b"x"), digest(b"y")]), "does not have the digest"),
        (save_image(*_LAYERS)[:-9000], "demo"),
    ],
)
def test_what_is_no_saved_image_is_one_clear_error(store, archive, message):
    with pytest.raises(BuildError, match=message):
        read_saved_image([archive], "demo", store)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, lambda data: zstandard.ZstdCompressor().compress(data)]
)
def test_a_root_file_system_gives_the_same_layer_however_it_is_packed(store, tmp_path, pack):
    plain = tmp_path / "plain.tar"
    plain.write_bytes(make_tar(("./etc/b", b"2"), ("./etc/a", b"1"), ("./etc/hosts", b"of some machine")))
    packed = tmp_path / "packed"
    packed.write_bytes(pack(make_tar(("etc/a", b"1"), ("etc/b", b"2"), ("proc/1", b""))))
    layer = make_archive_layer(packed, "1", store)
    assert layer.diff_id == make_archive_layer(plain, "2", store).diff_id
    with layer.path.open("rb") as stream:
        assert [entry.path for entry, _ in read_entries(stream)] == ["etc/a", "etc/b"]


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8bjunk", b"\xfd7zXZ\x00junk", b"\x28\xb5\x2f\xfdjunk", b"BZhjunk", b"x" * 600]
)
def test_an_archive_that_is_none_is_one_clear_error(store, tmp_path, content):
    path = tmp_path / "root.tar"
    path.write_bytes(content)
    with pytest.raises(BuildError, match=r"root\.tar"):
        make_archive_layer(path, "1", store)


def test_an_archive_base_may_be_an_image_or_a_root_file_system_and_must_be_the_locked_one(store, tmp_path):
    for name, content, count in (("image.tar", save_image(*_LAYERS), 2), ("root.tar", _LAYERS[0], 1)):
        (tmp_path / name).write_bytes(content)
        assert is_saved_image(tmp_path / name, store) is (count == 2)
        base = ArchiveBase(name, hashlib.sha256(content).hexdigest())
        assert len(read_base_layers(base, tmp_path, None, store)) == count
    with pytest.raises((BuildError, LockError), match="not the one that was locked"):
        read_base_layers(ArchiveBase("root.tar", "0" * 64), tmp_path, None, store)
