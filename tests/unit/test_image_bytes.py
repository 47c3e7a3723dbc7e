"""An image's own bytes: fixed by its layers and settings, and by nothing else."""

import hashlib
import io
import json
import re
import tarfile
from itertools import islice
from pathlib import Path

import pytest

from reprobox.engines.fake import FakeEngine
from reprobox.errors import BuildError, EngineError
from reprobox.image import archive_chunks, archive_size, assemble_image, load_image
from reprobox.layers.model import Layer


def make_layer(what, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    data = out.getvalue()
    layer = Layer(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), what, Path("nowhere"), cached=False)
    CONTENT[layer.diff_id] = data
    return layer


CONTENT: dict[str, bytes] = {}
BASE = make_layer("base", {"bin/sh": b"shell"})
SOURCE = make_layer("source", {"work/train.py": b"print()"})
SETTINGS = {
    "env": [("PATH", "/opt/venv/bin:/bin"), ("QUOTED", 'a "b" <&> é')],
    "entrypoint": ["/opt/venv/bin/python", "-I"],
    "command": ["train"],
    "labels": {"b": "2", "a": "1"},
    "user": "1000:1000",
    "workdir": "/work",
}


class Store:
    def verify(self, layers):
        pass

    def read(self, layer):
        data = CONTENT[layer.diff_id]
        yield data[:700]
        yield data[700:]


def read(layer):
    return Store().read(layer)


def members(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}


def archive(image, tag="demo:latest", skip=frozenset()):
    return b"".join(archive_chunks(image, tag, skip, read))


GOLDEN_CONFIG = (
    '{"architecture":"amd64","config":{"Cmd":["train"],"Entrypoint":["/opt/venv/bin/python","-I"],'
    '"Env":["PATH=/opt/venv/bin:/bin","QUOTED=a \\"b\\" <&> é"],"Labels":{"a":"1","b":"2"},"User":"1000:1000",'
    '"WorkingDir":"/work"},"created":"1980-01-01T00:00:00Z","history":[{"created":"1980-01-01T00:00:00Z",'
    '"created_by":"reprobox"},{"created":"1980-01-01T00:00:00Z","created_by":"reprobox"},'
    '{"created":"1980-01-01T00:00:00Z","created_by":"reprobox","empty_layer":true}],"os":"linux",'
    f'"rootfs":{{"diff_ids":["{BASE.diff_id}","{SOURCE.diff_id}"],"type":"layers"}}}}'
)


def test_the_config_is_these_bytes():
    image = assemble_image([BASE, SOURCE], **SETTINGS)
    assert image.config.decode() == GOLDEN_CONFIG
    assert image.config_digest == "sha256:a8df38c7759d220d5c9d66c3fb0c96a52e7a321e7edbc6fa8845108483fe88b2"


def test_the_manifest_names_every_layer_uncompressed():
    image = assemble_image([BASE, SOURCE], **SETTINGS)
    assert image.manifest.decode() == (
        '{"config":{"digest":"' + image.config_digest + '","mediaType":"application/vnd.oci.image.config.v1+json",'
        f'"size":{len(image.config)}}},"layers":['
        f'{{"digest":"{BASE.diff_id}","mediaType":"application/vnd.oci.image.layer.v1.tar","size":{BASE.size}}},'
        f'{{"digest":"{SOURCE.diff_id}","mediaType":"application/vnd.oci.image.layer.v1.tar","size":{SOURCE.size}}}],'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )
    assert image.manifest_digest == "sha256:" + hashlib.sha256(image.manifest).hexdigest()


def test_the_archive_is_these_bytes():
    image = assemble_image([BASE, SOURCE], **SETTINGS)
    assert (
        hashlib.sha256(archive(image)).hexdigest() == "1ce1c5ba06f55be6dd54498b574e37942ebc709192ef592124dfd70ea5c80f09"
    )


def test_what_a_layer_is_called_and_where_it_lies_changes_nothing():
    other = Layer(BASE.diff_id, BASE.size, "another name", Path("elsewhere"), cached=True)
    assert assemble_image([other, SOURCE], **SETTINGS).config == assemble_image([BASE, SOURCE], **SETTINGS).config


def test_the_order_of_labels_changes_nothing():
    assert assemble_image([BASE], labels={"a": "1", "b": "2"}) == assemble_image([BASE], labels={"b": "2", "a": "1"})


@pytest.mark.parametrize(
    "change",
    [{"env": []}, {"entrypoint": ["x"]}, {"command": ["x"]}, {"labels": {}}, {"user": "0"}, {"workdir": "/"},
     {"architecture": "arm64"}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_setting_changes_the_digest(change):
    image = assemble_image([BASE], **SETTINGS)
    assert assemble_image([BASE], **{**SETTINGS, **change}).config_digest != image.config_digest


def test_settings_that_are_empty_are_left_out():
    assert json.loads(assemble_image([BASE]).config)["config"] == {"WorkingDir": "/"}


def test_the_archive_is_an_oci_layout_and_a_docker_archive():
    image = assemble_image([BASE, SOURCE], **SETTINGS)
    found = members(archive(image, "registry.example:5000/team/demo:v1"))
    blob = {digest: f"blobs/{digest.replace(':', '/')}" for digest in (image.config_digest, *image.diff_ids)}
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    [described] = json.loads(found["manifest.json"])
    assert described == {
        "Config": blob[image.config_digest],
        "Layers": [blob[BASE.diff_id], blob[SOURCE.diff_id]],
        "RepoTags": ["registry.example:5000/team/demo:v1"],
    }
    [target] = json.loads(found["index.json"])["manifests"]
    assert target["digest"] == image.manifest_digest
    assert target["annotations"] == {
        "io.containerd.image.name": "registry.example:5000/team/demo:v1",
        "org.opencontainers.image.ref.name": "v1",
    }
    assert {path: hashlib.sha256(data).hexdigest() for path, data in found.items() if "blobs" in path} == {
        path: path.rpartition("/")[2] for path in found if "blobs" in path
    }


@pytest.mark.parametrize(
    ("tag", "full"),
    [
        ("demo:1", "docker.io/library/demo:1"),
        ("team/demo:1", "docker.io/team/demo:1"),
        ("localhost/demo:1", "localhost/demo:1"),
        ("127.0.0.1:5000/demo:1", "127.0.0.1:5000/demo:1"),
    ],
)
def test_the_containerd_store_gets_the_full_name(tag, full):
    index = json.loads(members(archive(assemble_image([BASE]), tag))["index.json"])
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == full


def test_layers_that_are_skipped_are_still_listed():
    image = assemble_image([BASE, SOURCE])
    found = members(archive(image, skip=frozenset({BASE.diff_id})))
    assert f"blobs/{BASE.diff_id.replace(':', '/')}" not in found
    assert len(json.loads(found["manifest.json"])[0]["Layers"]) == 2


@pytest.mark.parametrize("skip", [frozenset(), frozenset({BASE.diff_id}), frozenset({BASE.diff_id, SOURCE.diff_id})])
def test_the_size_is_known_before_anything_is_read(skip):
    image = assemble_image([BASE, SOURCE, SOURCE])
    assert archive_size(image, "demo:1", skip) == len(archive(image, "demo:1", skip))


def test_a_layer_beyond_eight_gigabytes_has_a_header_that_says_so():
    huge = Layer(BASE.diff_id, 9 << 30, "huge", Path("nowhere"), cached=False)
    image = assemble_image([huge])
    *_, header = islice(archive_chunks(image, "demo:1", frozenset(), read), 4)
    assert tarfile.TarInfo.frombuf(header, "utf-8", "strict").size == 9 << 30


def test_a_layer_that_is_shorter_than_it_says_is_an_error_not_a_broken_archive():
    lying = Layer(BASE.diff_id, BASE.size + 1, "lying", Path("nowhere"), cached=False)
    with pytest.raises(BuildError, match="bytes instead of"):
        archive(assemble_image([lying]))


def test_an_engine_that_accepts_but_holds_something_else_is_found_out():
    class Forgetful(FakeEngine):
        def load_archive(self, chunks):
            b"".join(chunks)

    with pytest.raises(EngineError, match="has none afterwards"):
        load_image(Forgetful(), assemble_image([BASE]), "demo:1", Store())


def test_an_engine_that_makes_an_image_of_its_own_is_found_out():
    other = assemble_image([BASE], user="someone else")

    class Meddling(FakeEngine):
        def load_archive(self, chunks):
            name = re.search(rb"reprobox-loading:[0-9a-f-]+", b"".join(chunks))[0].decode()
            super().load_archive(archive_chunks(other, name, frozenset(), read))

    image, engine = assemble_image([BASE]), Meddling()
    with pytest.raises(EngineError, match=f"calls it {other.config_digest} instead of {image.config_digest}"):
        load_image(engine, image, "demo:1", Store())
    assert engine.find_image("demo:1") is None


def test_nothing_is_left_under_the_name_used_while_loading():
    engine, image = FakeEngine(), assemble_image([BASE])
    load_image(engine, image, "demo:1", Store())
    assert [*engine.names] == ["demo:1"]
