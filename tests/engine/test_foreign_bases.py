"""Bases that others made, on a real engine: local images, registry images, archives; and the Python in them."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest
from engine_packages import CACHE

from reprobox.blobs import BlobStore
from reprobox.errors import BuildError, LockError
from reprobox.http import HttpConfig
from reprobox.image import assemble_image, load_image
from reprobox.layers.base_image import read_saved_image
from reprobox.layers.store import LayerStore
from reprobox.lock import ImageBase
from reprobox.resolve.base import BaseRequest, choose_mirror, read_base_layers, resolve_base
from reprobox.resolve.deb_downloads import MirrorDownloads, fetch_packages
from reprobox.spec.model import Base
from reprobox.steps.debian import make_base_layer
from reprobox.steps.runner import StepRunner

pytestmark = pytest.mark.network
_BLOBS = BlobStore(CACHE / "debian")
_TAG = "reprobox-test/foreign-base:1"


def mirror():
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return choose_mirror(os.environ.get("REPROBOX_DEBIAN_MIRROR"), Path("/etc/apt"), now)


@pytest.fixture(scope="module")
def store(base_store):
    return base_store


@pytest.fixture(scope="module")
def image(engine, store):
    """An image with a Python that the engine holds."""
    request = BaseRequest("3.11", Base(), (), Path(), mirror())
    base = resolve_base(request, MirrorDownloads(_BLOBS, HttpConfig()), lambda: engine, store, print).base
    files = fetch_packages(base.packages, _BLOBS, mirror=mirror(), snapshot=base.snapshot, http=HttpConfig())
    with StepRunner(engine, store) as steps:
        layer = make_base_layer(base, [(package, files[package.sha256]) for package in base.packages], steps)
    made = assemble_image([layer], env=[("PATH", "/usr/sbin:/usr/bin")])
    load_image(engine, made, _TAG, store)
    yield made
    engine.remove_image(_TAG)


def resolve(engine, tmp_path, base, python="3.11", system=()):
    request = BaseRequest(python, base, system, tmp_path, mirror())
    store = LayerStore(tmp_path / "store")
    found = resolve_base(request, MirrorDownloads(_BLOBS, HttpConfig()), lambda: engine, store, print)
    return found, read_base_layers(found.base, tmp_path, engine, LayerStore(tmp_path / "another"))


def test_a_local_image_is_pinned_by_its_sha256(engine, image, tmp_path):
    found, layers = resolve(engine, tmp_path, Base(image=_TAG, sha256=image.config_digest.removeprefix("sha256:")))
    assert isinstance(found.base, ImageBase)
    assert (found.base.reference, found.base.config_digest) == (_TAG, image.config_digest)
    assert found.base.diff_ids == image.diff_ids
    assert found.python.executable == "/usr/bin/python3.11"
    assert [layer.diff_id for layer in layers] == list(image.diff_ids)


def test_a_local_image_with_another_sha256_is_refused(engine, image, tmp_path):
    with pytest.raises(LockError, match=f"is {image.config_digest}, not sha256:0000"):
        resolve(engine, tmp_path, Base(image=_TAG, sha256="0" * 64))


def test_a_local_image_without_a_sha256_says_what_to_write(engine, image, tmp_path):
    name = "127.0.0.1:9/reprobox-test/held:1"
    engine.tag_image(_TAG, name)
    try:
        with pytest.raises(LockError, match=r"127\.0\.0\.1:9") as caught:
            resolve(engine, tmp_path, Base(image=name))
        assert "give its sha256 beside it" in caught.value.hint
    finally:
        engine.remove_image(name)


def test_a_registry_image_is_pinned_by_its_manifest_and_fetched_again_where_it_is_missing(
    engine, image, registry, tmp_path
):
    name = f"{registry}/base:1"
    client = docker.from_env()
    client.images.get(_TAG).tag(name)
    pushed = client.api.push(name, stream=True, decode=True)
    assert not [line for line in pushed if "error" in line]
    client.api.remove_image(name)
    try:
        found, layers = resolve(engine, tmp_path, Base(image=name))
        assert found.base.reference.startswith(f"{registry}/base@sha256:")
        assert found.base.config_digest == image.config_digest
        assert [layer.diff_id for layer in layers] == list(image.diff_ids)
    finally:
        for tag in (name, f"{registry}/base@{found.base.reference.partition('@')[2]}"):
            engine.remove_image(tag)
        client.close()


def test_an_image_that_is_not_the_locked_one_any_more_is_refused(engine, image, tmp_path):
    base = ImageBase(_TAG, "sha256:" + "0" * 64, ("sha256:" + "1" * 64,), ())
    with pytest.raises(BuildError, match="but the lock has sha256:0000"):
        read_base_layers(base, tmp_path, engine, LayerStore(tmp_path))


@pytest.mark.parametrize("saved", [True, False], ids=["saved-image", "root-file-system"])
def test_an_archive_in_the_project_gives_the_same_layer_as_the_image(engine, image, store, tmp_path, saved):
    content = b"".join(engine.save_image(_TAG)) if saved else image.layers[0].path.read_bytes()
    packed = gzip.compress(content, 1)
    (tmp_path / "base.tar.gz").write_bytes(packed)
    base = Base(archive="base.tar.gz", sha256=hashlib.sha256(packed).hexdigest())
    found, layers = resolve(engine, tmp_path, base)
    assert found.python.glibc == "2.36"
    assert [layer.diff_id for layer in layers] == list(image.diff_ids)


def test_an_archive_with_another_sha256_is_refused(engine, tmp_path):
    (tmp_path / "base.tar").write_bytes(b"x")
    with pytest.raises(LockError, match=r"base\.tar has the sha256 2d711642b726b0"):
        resolve(engine, tmp_path, Base(archive="base.tar", sha256="0" * 64))


def test_an_image_without_python_is_refused(engine, busybox, tmp_path):
    digest = read_saved_image(engine.save_image(busybox), busybox, LayerStore(tmp_path)).config_digest
    with pytest.raises(LockError, match="has no Python that works"):
        resolve(engine, tmp_path, Base(image=busybox, sha256=digest))


def test_an_image_with_another_python_is_refused(engine, image, tmp_path):
    with pytest.raises(LockError, match=r"python '3\.12': the base .* brings 3\.11"):
        resolve(engine, tmp_path, Base(image=_TAG, sha256=image.config_digest), python="3.12")


def test_system_packages_for_an_image_leave_out_what_it_has(engine, image, tmp_path):
    found, _ = resolve(engine, tmp_path, Base(image=_TAG, sha256=image.config_digest), system=("file",))
    assert {package.name for package in found.system} == {"file", "libmagic1", "libmagic-mgc"}


def test_the_probe_also_answers_under_this_machines_python():
    """The same program runs in whatever base there is, so it must not need anything of the image."""
    probe = Path(__file__).parents[2] / "templates" / "probe-base.py"
    done = subprocess.run([sys.executable, "-I", probe], capture_output=True, check=True, timeout=60)
    assert b'"version": "3.' in done.stdout
