"""Images in real engines: the same digest everywhere, only what is missing is sent, nothing half-loaded stays."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from engine_daemons import KINDS, Daemon
from engine_images import make_image, run_shell

from reprobox.engines.base import StoreKind
from reprobox.errors import BuildError, EngineError
from reprobox.image import archive_chunks, assemble_image, load_image

TAG = "reprobox-test/image:1"


@pytest.fixture
def image(layers, request):
    return make_image(layers, layers.make("mark", {"mark": request.node.name.encode()}))


@pytest.fixture(autouse=True)
def forget_images(request):
    yield
    for name in {"engine", "engines"} & set(request.fixturenames):
        request.getfixturevalue(name).remove_image(TAG)


def test_an_image_is_loaded_under_its_own_digest_and_runs(engines, layers, image):
    loaded = load_image(engines, image, TAG, layers)
    kind = engines.info().store
    assert loaded == (image.manifest_digest if kind is StoreKind.CONTAINERD else image.config_digest)
    assert engines.find_image(TAG).diff_ids == image.diff_ids
    assert run_shell(engines, TAG, 'cat mark; echo; echo "$LANG"')[1].endswith('C.UTF-8"<&>é\n'.encode())


def test_the_stores_are_the_ones_the_names_say(daemons):
    kinds = {name: daemons(name)[1].info() for name in ("docker-20.10", "docker-26.1-graph", "docker-26.1-containerd")}
    assert {name: info.store.value for name, info in kinds.items()} == {
        "docker-20.10": "graph-driver",
        "docker-26.1-graph": "graph-driver",
        "docker-26.1-containerd": "containerd",
    }
    assert [info.version[:5] for info in kinds.values()] == ["20.10", "26.1.", "26.1."]


def test_the_config_that_comes_back_is_byte_for_byte_ours(engines, layers, image, tmp_path):
    load_image(engines, image, TAG, layers)
    saved = b"".join(engines.save_image(TAG))
    assert image.config in saved


def test_loading_again_sends_nothing(engines, layers, image):
    load_image(engines, image, TAG, layers)
    layers.sent.clear()
    sent = []
    load_image(engines, image, TAG, layers, lambda done, total: sent.append(done))
    assert (layers.sent, sent) == ([], [])


def test_an_engine_gets_only_the_layers_it_lacks_and_keeps_them_all(engines, layers, image):
    load_image(engines, image, TAG, layers)
    layers.sent.clear()
    changed = make_image(layers, layers.make("changed", {"mark": b"changed"}))
    progress = []
    load_image(engines, changed, TAG, layers, lambda *step: progress.append(step))
    assert layers.sent == ["changed"]
    assert progress[-1][0] == progress[-1][1] < 20_000
    assert layers.busybox().path.read_bytes() in b"".join(engines.save_image(TAG))
    assert run_shell(engines, TAG, "cat mark")[1] == b"changed"


def test_layers_that_came_compressed_from_a_registry_are_sent_whole(engines, layers, skopeo, registry, tmp_path):
    base = make_image(layers, layers.make("base", {"base": b"b"}))
    archive = tmp_path / "base.tar"
    archive.write_bytes(b"".join(archive_chunks(base, TAG, frozenset(), layers.read)))
    name = f"{registry}/test/compressed:1"
    options = ["--dest-tls-verify=false", "--dest-compress", "--dest-compress-format", "gzip", "--format", "v2s2"]
    skopeo("copy", *options, f"docker-archive:{archive}", f"docker://{name}")
    engines.pull_image(name)
    above = make_image(layers, layers.make("base", {"base": b"b"}), layers.make("above", {"above": b"a"}))
    load_image(engines, above, TAG, layers)
    assert layers.busybox().path.read_bytes() in b"".join(engines.save_image(TAG))
    engines.remove_image(name)


def test_a_change_of_the_config_alone_sends_no_layer(engine, layers, image):
    load_image(engine, image, TAG, layers)
    layers.sent.clear()
    other = assemble_image(image.layers, env=[("A", "b")])
    load_image(engine, other, TAG, layers)
    assert layers.sent == []


def test_of_many_images_the_one_built_before_is_looked_at_first(engine, layers, image, monkeypatch):
    load_image(engine, make_image(layers, layers.make("older", {"older": b"o"})), "reprobox-test/older:1", layers)
    load_image(engine, make_image(layers, layers.make("before", {"source": b"before"})), TAG, layers)
    looked = []
    images = engine._images
    monkeypatch.setattr(images, "find_image", lambda name, find=images.find_image: looked.append(name) or find(name))
    after = make_image(layers, layers.make("after", {"source": b"after"}))
    layers.sent.clear()
    load_image(engine, after, TAG, layers)
    engine.remove_image("reprobox-test/older:1")
    assert layers.sent == ["after"]
    # By its name before, by its ID among all, and what came of it; no other image.
    assert looked[0] == TAG
    assert len(looked) == 3


def test_an_engine_that_turned_out_to_lack_a_layer_gets_them_all(engine, layers, image, monkeypatch):
    monkeypatch.setattr(engine, "count_held_layers", lambda diff_ids, likely: len(diff_ids))
    fresh = make_image(layers, layers.make("fresh", {"fresh": b"never seen"}))
    layers.sent.clear()
    assert load_image(engine, fresh, TAG, layers) == fresh.config_digest
    assert layers.sent == ["busybox", "fresh"]


def test_the_same_layer_twice_is_one_file(engines, layers):
    twice = layers.make("twice", {"twice": b"x"})
    load_image(engines, make_image(layers, twice, twice), TAG, layers)
    assert engines.find_image(TAG).diff_ids[1:] == (twice.diff_id, twice.diff_id)


def test_progress_ends_at_the_total(engines, layers, image):
    steps = []
    load_image(engines, image, TAG, layers, lambda *step: steps.append(step))
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_a_damaged_layer_leaves_the_tag_as_it_was(engines, layers, image):
    class Damaged:
        def read(self, layer):
            yield bytes(layer.size)

        def verify(self, layers):
            raise BuildError("damaged")

    broken = make_image(layers, layers.make("other", {"other": b"damaged on the way"}))
    with pytest.raises(BuildError, match="damaged"):
        load_image(engines, broken, TAG, Damaged())
    assert engines.find_image(TAG) is None
    load_image(engines, image, TAG, layers)
    with pytest.raises(BuildError, match="damaged"):
        load_image(engines, broken, TAG, Damaged())
    assert engines.find_image(TAG).engine_id == engines.info().identify(image).engine_id
    load_image(engines, broken, TAG, layers)


def test_a_layer_with_other_bytes_is_refused(engines, layers, image):
    class Swapped:
        def verify(self, layers):
            """Find nothing: the bytes change on their way."""

        def read(self, layer):
            data = bytearray(layer.path.read_bytes())
            data[-1] ^= 1
            yield bytes(data)

    fresh = make_image(layers, layers.make("swapped", {"swapped": b"x"}))
    with pytest.raises(EngineError):
        load_image(engines, fresh, TAG, Swapped())
    assert engines.find_image(TAG) is None


def test_builds_of_the_same_image_at_once_all_succeed(engines, layers, image):
    tags = [f"reprobox-test/at-once:{number}" for number in range(4)]
    with ThreadPoolExecutor(len(tags)) as pool:
        loaded = set(pool.map(lambda tag: load_image(engines, image, tag, layers), tags))
    assert loaded == {engines.info().identify(image).engine_id}
    assert [engines.find_image(tag).engine_id for tag in tags] == [*loaded] * len(tags)
    for tag in tags:
        engines.remove_image(tag)


def test_podman_and_skopeo_accept_the_archive(layers, image, podman, skopeo, tmp_path):
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(archive_chunks(image, TAG, frozenset(), layers.read)))
    assert TAG in podman("load", "-i", str(archive))
    listed = json.loads(podman("image", "inspect", TAG))[0]
    assert f"sha256:{listed['Id']}" == image.config_digest
    raw = skopeo("inspect", "--raw", f"oci-archive:{archive}")
    assert raw.encode() == image.manifest
    assert json.loads(skopeo("inspect", f"docker-archive:{archive}"))["Layers"] == list(image.diff_ids)


def test_pulling_gives_the_digest_of_the_registry(engines, layers, image, skopeo, registry, tmp_path):
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(archive_chunks(image, TAG, frozenset(), layers.read)))
    name = f"{registry}/test/{tmp_path.name[-20:].lower()}"
    skopeo("copy", "--dest-tls-verify=false", f"oci-archive:{archive}", f"docker://{name}:1")
    pinned = engines.pull_image(f"{name}:1")
    assert pinned.startswith(f"{name}@sha256:")
    assert engines.find_image(pinned).diff_ids == image.diff_ids
    assert engines.pull_image(pinned) == pinned
    engines.remove_image(f"{name}:1")
    engines.remove_image(pinned)


def test_pulling_what_is_not_there_is_one_clear_error(engines, registry):
    with pytest.raises(EngineError, match=f"pulling {registry}/no/such:1"):
        engines.pull_image(f"{registry}/no/such:1")


def test_tags_come_and_go(engines, layers, image):
    load_image(engines, image, TAG, layers)
    engines.tag_image(TAG, "127.0.0.1:5000/reprobox-test/other:2")
    assert engines.find_image("127.0.0.1:5000/reprobox-test/other:2") == engines.find_image(TAG)
    engines.remove_image("127.0.0.1:5000/reprobox-test/other:2")
    assert engines.find_image("127.0.0.1:5000/reprobox-test/other:2") is None
    engines.remove_image("127.0.0.1:5000/reprobox-test/other:2")
    assert engines.find_image(TAG) is not None


def test_an_engine_that_dies_in_the_middle_of_a_load_is_one_clear_error(spare_daemon, layers):
    class Killing:
        def read(self, layer):
            yield layer.path.read_bytes()[:1024]
            spare_daemon.kill()
            yield layer.path.read_bytes()[1024:]

    from reprobox.engines.docker import connect

    big = make_image(layers, layers.make("big", {"big": bytes(64 << 20)}))
    with pytest.raises(EngineError, match="stopped answering") as caught:
        load_image(connect(spare_daemon.environ), big, TAG, Killing())
    assert caught.value.hint
    assert caught.value.exit_code == 5
    again = spare_daemon.start()
    assert again.find_image(TAG) is None
    assert load_image(again, big, TAG, layers) == again.info().identify(big).engine_id


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_whose_disk_is_full_says_so_and_keeps_nothing(kind, layers, image):
    daemon = Daemon(kind)
    daemon.limit_disk("40m")
    try:
        engine = daemon.start()
        big = make_image(layers, layers.make("big", {"big": os.urandom(64 << 20)}))
        with pytest.raises(EngineError, match="no space left on device") as caught:
            load_image(engine, big, TAG, layers)
        assert "free some disk" in caught.value.hint
        assert engine.find_image(TAG) is None
        load_image(engine, image, TAG, layers)
    finally:
        daemon.stop()
