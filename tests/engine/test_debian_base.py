"""Debian bases and steps on real engines, from the real archive: the same bytes every time, everywhere."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import time
from pathlib import Path

import docker
import pytest
from engine_packages import CACHE

from reprobox.blobs import BlobStore
from reprobox.errors import BuildError
from reprobox.http import HttpConfig
from reprobox.layers.read_tar import read_entries
from reprobox.layers.state import collect_difference
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import Kind, make_file
from reprobox.layers.tree import Tree
from reprobox.resolve.base import BaseRequest, choose_mirror, resolve_base
from reprobox.resolve.deb_downloads import MirrorDownloads, fetch_packages
from reprobox.spec.model import Base
from reprobox.steps.debian import list_step_files, make_base_layer, make_system_layer, make_unpacked_layer
from reprobox.steps.runner import StepRunner, make_run_layer
from reprobox.templating import templates_folder

pytestmark = pytest.mark.network
_PYTHONS = {"3.9": "11", "3.11": "12", "3.13": "13"}


class Resolved:
    """A base and one system package as the archive has them today, with their files."""

    def __init__(self, python):
        blobs, http = BlobStore(CACHE / "debian"), HttpConfig()
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        mirror = choose_mirror(os.environ.get("REPROBOX_DEBIAN_MIRROR"), Path("/etc/apt"), now)
        request = BaseRequest(python, Base(), ("file",), Path(), mirror)
        found = resolve_base(request, MirrorDownloads(blobs, http), _no_engine, None, print)
        packages = [*found.base.packages, *found.system]
        files = fetch_packages(packages, blobs, mirror=mirror, snapshot=found.base.snapshot, http=http)
        self.base, self.python = found.base, found.python
        self.debs = [(package, files[package.sha256]) for package in found.base.packages]
        self.system = [(package, files[package.sha256]) for package in found.system]


def _no_engine():
    raise AssertionError("a Debian base is resolved without an engine")


@pytest.fixture(scope="module")
def resolve():
    """Resolve for a Python version, once in this module: the archive may change under the tests."""
    return functools.cache(Resolved)


@pytest.fixture(scope="module")
def store(base_store):
    return base_store


@pytest.fixture(scope="module")
def steps(engine, store):
    with StepRunner(engine, store) as steps:
        yield steps


@pytest.fixture(scope="module")
def bookworm(resolve):
    return resolve("3.11")


@pytest.fixture(scope="module")
def base(bookworm, steps):
    return make_base_layer(bookworm.base, bookworm.debs, steps)


def entries_of(layer):
    with layer.path.open("rb") as stream:
        return {entry.path: (entry, data.read() if data else b"") for entry, data in read_entries(stream)}


def run_python(steps, layers, code):
    return steps.read_output(layers, ("/usr/bin/python3", "-I", "-c", code), what="a test").decode()


@pytest.mark.parametrize("python", _PYTHONS)
@pytest.mark.long
def test_a_base_is_the_same_bytes_on_other_engines(resolve, steps, daemons, tmp_path, python):
    resolved = resolve(python)
    first = make_base_layer(resolved.base, resolved.debs, steps)
    others = ["docker-26.1-graph", "docker-26.1-containerd"] if python == "3.11" else ["docker-26.1-graph"]
    for name in others:
        with StepRunner(daemons(name)[1], LayerStore(tmp_path / name)) as elsewhere:
            again = make_base_layer(resolved.base, resolved.debs, elsewhere)
        assert not again.cached
        assert again.diff_id == first.diff_id, name


@pytest.mark.parametrize(
    "python", [one if one == "3.11" else pytest.param(one, marks=pytest.mark.long) for one in _PYTHONS]
)
def test_a_base_brings_a_whole_python_that_the_lock_describes(resolve, steps, python):
    resolved = resolve(python)
    layers = [make_base_layer(resolved.base, resolved.debs, steps)]
    modules = "asyncio bz2 ctypes curses hashlib json lzma multiprocessing sqlite3 ssl venv zlib zoneinfo"
    modules += " distutils.version" if python != "3.13" else ""
    code = (
        f"import importlib, os, sys, zoneinfo\nfor name in {modules.split()!r}: importlib.import_module(name)\n"
        "print('.'.join(map(str, sys.version_info[:3])), os.path.realpath(sys.executable),"
        " os.confstr('CS_GNU_LIBC_VERSION').split()[1], zoneinfo.ZoneInfo('Europe/Paris').key)"
    )
    said = run_python(steps, layers, code).split()
    assert said == [resolved.python.version, resolved.python.executable, resolved.python.glibc, "Europe/Paris"]


def test_a_base_has_no_apt_no_documentation_and_nothing_of_the_moment(base, bookworm):
    files = entries_of(base)
    unwanted = ("usr/bin/apt", "etc/hosts", "etc/hostname", "etc/resolv.conf", "var/cache/ldconfig/aux-cache")
    assert not files.keys() & {*unwanted, ".dockerenv", "usr/sbin/policy-rc.d", "etc/machine-id", "var/cache/reprobox"}
    empty = ("var/log/", "tmp/", "run/", "dev/", "usr/share/man/")
    assert not [path for path, (entry, _) in files.items() if path.startswith(empty) and entry.kind is Kind.FILE]
    assert "usr/share/doc/bash/copyright" in files
    assert files["tmp"][0].mode == 0o1777
    assert files["usr/bin/su"][0].mode == 0o4755
    now = time.gmtime()
    today = [time.strftime(form, now).encode() for form in ("%Y-%m-%d", "%Y%m%d", "%a %b %d")]
    names = {package.name for package, _ in bookworm.debs}
    dated = [path for path, (_, data) in files.items() if any(day in data for day in today)]
    assert not [path for path in dated if path.rpartition("/")[2].partition(".")[0] not in names], dated


def test_the_systems_bytecode_holds_no_time_and_is_used(base, steps):
    files = entries_of(base)
    cached = {path: data for path, (_, data) in files.items() if path.endswith(".pyc")}
    assert len(cached) > 500
    assert {data[4:8] for data in cached.values()} == {b"\x01\0\0\0"}
    loaded = run_python(
        steps, [base], "import json, sys; print(json.__cached__, json.__spec__.loader.get_code('json'))"
    )
    assert loaded.split()[0] == "/usr/lib/python3.11/json/__pycache__/__init__.cpython-311.pyc"
    assert loaded.split()[0][1:] in cached


@pytest.mark.long
def test_plain_docker_build_of_the_base_gives_the_same_files(engine, base, bookworm, store, tmp_path):
    unpacked = make_unpacked_layer(bookworm.base, bookworm.debs, store)
    os.link(unpacked.path, tmp_path / "base.tar")
    dockerfile = templates_folder().parent / "Dockerfile.base"
    (tmp_path / "Dockerfile").write_bytes(dockerfile.read_bytes())
    for entry, data in list_step_files(bookworm.debs):
        path = tmp_path / "base" / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.read_bytes())
    client = docker.from_env()
    image, _ = client.images.build(path=str(tmp_path), tag="reprobox-test/plain-base:1", network_mode="none", rm=True)
    container = client.containers.create(image.id, ["/bin/true"])
    try:
        with Tree() as tree:
            collect_difference(container.export(), [base], tree, store, "plain docker build")
            assert not tree.entries
    finally:
        container.remove()
        client.images.remove("reprobox-test/plain-base:1")
        client.close()


def test_system_packages_are_the_same_bytes_twice_and_work(base, bookworm, steps, engine, tmp_path):
    layer = make_system_layer(bookworm.system, [base], steps)
    with StepRunner(engine, LayerStore(tmp_path)) as again:
        assert make_system_layer(bookworm.system, [base], again).diff_id == layer.diff_id
    assert layer.size < base.size / 5
    assert b"ELF 64-bit" in steps.read_output([base, layer], ("file", "/usr/bin/dash"), what="a test")
    assert b"install ok installed" in steps.read_output([base, layer], ("dpkg", "-s", "file"), what="a test")


def test_a_run_step_keeps_what_it_changed_and_is_the_same_bytes_twice(base, steps, engine, tmp_path):
    command = (
        "mkdir -m 1777 /srv/open; echo hello > /srv/a; ln /srv/a /srv/b; rm /usr/bin/perl*; "
        "date > /tmp/now; echo 'x = 1' > /srv/m.py; python3 -m compileall -q /srv; ln /bin/dash /srv/d"
    )
    layer = make_run_layer(command, [base], steps)
    with StepRunner(engine, LayerStore(tmp_path)) as again:
        assert make_run_layer(command, [base], again).diff_id == layer.diff_id
    files = entries_of(layer)
    kinds = {path: entry.kind for path, (entry, _) in files.items() if entry.kind is not Kind.DIR}
    perl = [path for path in entries_of(base) if path.startswith("usr/bin/perl")]
    assert kinds == {
        **dict.fromkeys(perl, Kind.WHITEOUT),
        "srv/a": Kind.FILE,
        "srv/b": Kind.HARDLINK,
        "srv/d": Kind.FILE,
        "srv/m.py": Kind.FILE,
        "srv/__pycache__/m.cpython-311.pyc": Kind.FILE,
    }
    assert files["srv/open"][0].mode == 0o1777
    assert steps.read_output([base, layer], ("cat", "/srv/b"), what="a test") == b"hello\n"


def test_a_step_that_is_left_to_chance_is_told_of(base, steps):
    warnings = []
    make_run_layer("echo steady > /srv/steady", [base], steps, warnings.append)
    assert warnings == []
    make_run_layer(
        "cat /proc/sys/kernel/random/uuid > /srv/random; echo 1 > /srv/steady", [base], steps, warnings.append
    )
    assert len(warnings) == 1
    assert "different files (/srv/random);" in warnings[0]


def test_a_step_that_fails_says_what_it_printed_and_leaves_nothing(base, steps):
    with pytest.raises(BuildError, match=r"run: echo trouble >&2; exit 3: .* exit code 3\ntrouble"):
        make_run_layer("echo trouble >&2; exit 3", [base], steps)


def test_a_step_has_no_network_and_a_fixed_environment(base, steps):
    said = steps.read_output([base], ("/bin/sh", "-c", "env; ls /sys/class/net; hostname"), what="a test").decode()
    assert "SOURCE_DATE_EPOCH=315532800" in said
    assert "PYTHONHASHSEED=0" in said
    assert "eth0" not in said


def test_steps_forget_their_images(base, engine, store):
    client = docker.from_env()
    with StepRunner(engine, store) as steps:
        steps.read_output([base], ("true",), what="a test")
        held = {tag for image in client.images.list("reprobox/step") for tag in image.tags}
    left = {tag for image in client.images.list("reprobox/step") for tag in image.tags}
    client.close()
    assert len(held - left) == 1


def test_an_exported_base_is_its_own_canonical_form(base, steps, store):
    with Tree() as tree:
        with contextlib.closing(steps.export([base], ("true",), what="a test")) as chunks:
            collect_difference(chunks, [], tree, store, "a test")
        out = io.BytesIO()
        tree.write(out)
    assert out.getvalue() == base.path.read_bytes()


def test_files_are_put_into_the_container_before_the_step(base, steps, store):
    with Tree() as files, Tree() as tree:
        files.add(make_file("srv/given", 5), b"given")
        chunks = steps.export([base], ("/bin/sh", "-c", "mv /srv/given /srv/taken"), what="a test", files=files)
        collect_difference(chunks, [base], tree, store, "a test")
        assert [path for path, entry in tree.entries.items() if entry.kind is Kind.FILE] == ["srv/taken"]
