"""Caches that are full or damaged: healed where that can be done, else one clear error and nothing by halves."""

import itertools
import json
import os
import re
import shutil
import subprocess
import tomllib
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from caches import flip_byte, list_files, make_cache
from program import call_program

pytestmark = [pytest.mark.network, pytest.mark.long]

LINES = ("packages: [six==1.17.0, numpy==2.4.6]", "run: ['head -c 30000000 /dev/zero > /opt/zeros']")


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    folder = make_project("robust-caches", *LINES)
    fresh_lock(folder)
    yield folder
    docker.APIClient().remove_image("reprobox/robust-caches:latest", force=True)


@pytest.fixture(scope="module")
def finished(project, tmp_path_factory):
    """A cache in which the project is built, and its image's digest."""
    cache = make_cache(tmp_path_factory.mktemp("finished"))
    return Path(cache["REPROBOX_CACHE"]), build(project, cache)["image_digest"]


@pytest.fixture
def cache(finished, tmp_path):
    """A copy of that cache, for one test to damage."""
    subprocess.run(["cp", "-rl", finished[0], tmp_path / "cache"], check=True)
    return tmp_path / "cache"


@pytest.fixture
def forgotten(project):
    """The engine has none of the project's layers but those that other images share: it has to be sent them."""
    client = docker.APIClient()
    if client.images("reprobox/robust-caches:latest"):
        client.remove_image("reprobox/robust-caches:latest", force=True)


def build(project, environ, code=0):
    done = call_program("build", "--json", project, env=environ, check=False)
    assert "Traceback" not in done.stderr
    assert done.code == code, done.stderr
    if code:
        # One error, said once for people and once for machines.
        assert done.json["error"]["exit_code"] == code
        assert done.stderr.count("error:") == 1, done.stderr
        return done.stderr
    return {**done.json, "stderr": done.stderr}


def records(cache):
    return {json.loads(path.read_text())["what"]: path for path in (cache / "layers").rglob("keys/*.json")}


def blob_of(record):
    content = json.loads(record.read_text())
    return record.parents[1] / "blobs" / f"{content['diff_id'].partition(':')[2]}.tar"


@contextmanager
def small_disk(folder, size):
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_during_downloads(project, finished, tmp_path, forgotten):
    with small_disk(tmp_path / "small", "30m") as resize:
        environ = {"REPROBOX_CACHE": str(tmp_path / "small")}
        told = build(project, environ, code=6)
        assert "MB are needed" in told
        assert "MB are free" in told
        assert str(tmp_path / "small") in told
        assert not [name for name in list_files(tmp_path / "small") if name.endswith(("-tmp", ".tmp", ".json"))]
        resize("1g")
        assert build(project, environ)["image_digest"] == finished[1]


@pytest.mark.parametrize("room", [40, 215])
def test_a_disk_that_fills_up_while_a_layer_is_written(project, finished, tmp_path, room, forgotten):
    with small_disk(tmp_path / "small", "1g") as resize:
        environ = {"REPROBOX_CACHE": str(tmp_path / "small")}
        # The downloads that this project needs; the others would only take room.
        needed = {*re.findall(r'sha256 = "([0-9a-f]{64})"', (project / "spec.lock").read_text())}
        for path in (finished[0] / "blobs").rglob("*"):
            if path.name.partition(".")[0] in needed:
                target = tmp_path / "small" / path.relative_to(finished[0])
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        used = int(subprocess.run(["du", "-sm", tmp_path / "small"], capture_output=True, check=True).stdout.split()[0])
        resize(f"{used + room}m")
        told = build(project, environ, code=6)
        assert "no space left" in told
        assert str(tmp_path / "small") in told
        assert "hint:" in told
        assert not [name for name in list_files(tmp_path / "small") if "/tmp/" in name]
        resize("2g")
        assert build(project, environ)["image_digest"] == finished[1]


def test_a_lock_that_finds_no_room_leaves_the_old_one(make_project, finished, tmp_path):
    with small_disk(tmp_path / "small", "1m") as resize:
        folder = tmp_path / "small" / "project"
        folder.mkdir()
        (folder / "spec.yaml").write_text("reprobox: 1\nname: robust-full\nseed: 1\ncommand: 'true'\n")
        environ = {"REPROBOX_CACHE": str(finished[0])}
        with (tmp_path / "small" / "filler").open("wb") as filler:
            filler.write(bytes(1_000_000))
        subprocess.run(f"cat /dev/zero > {tmp_path}/small/more", shell=True, check=False, stderr=subprocess.DEVNULL)  # noqa: S602
        done = call_program("lock", folder, env=environ, check=False)
        assert (done.code, "Traceback" in done.stderr) == (6, False), done.stderr
        assert "no space left" in done.stderr
        assert list_files(folder) == {"spec.yaml"}
        resize("9m")
        call_program("lock", folder, env=environ)
        assert list_files(folder) == {"spec.yaml", "spec.lock"}


@pytest.mark.parametrize("what", ["Debian bookworm", "run: head", "numpy", "bytecode of numpy"])
def test_a_layer_with_one_flipped_byte_is_made_again(project, finished, cache, what, forgotten):
    record = next(path for name, path in records(cache).items() if name.startswith(what))
    blob = blob_of(record)
    flip_byte(blob, blob.stat().st_size // 2)
    built = build(project, {"REPROBOX_CACHE": str(cache)})
    assert built["image_digest"] == finished[1]
    assert "making it again" in built["stderr"] or not blob.exists() or was_skipped(built, blob)


def was_skipped(built, blob):
    """Whether the engine had that layer from another image, so that nobody read the damaged file."""
    return f"sha256:{blob.stem}" in {layer["digest"] for layer in built["layers"] if layer["cached"]}


def test_a_layer_below_a_step_with_one_flipped_byte_is_made_again(project, finished, cache, forgotten):
    """The step has to be made, so the damaged base is read for it, in whole."""
    found = records(cache)
    for name, path in found.items():
        if name.startswith("run: "):
            path.unlink()
    blob = blob_of(next(path for name, path in found.items() if "Debian" in name))
    flip_byte(blob, 1_000_000)
    assert build(project, {"REPROBOX_CACHE": str(cache)})["image_digest"] == finished[1]


DAMAGES = (b"", b"{", b'{"schema_version": 1}', b"\xff\x00", b"[1]")


def test_torn_records_make_their_layers_again(project, finished, cache, forgotten):
    damaged = [path for name, path in sorted(records(cache).items()) if "Debian" not in name]
    assert len(damaged) >= len(DAMAGES)
    for path, damage in zip(damaged, itertools.cycle(DAMAGES), strict=False):
        path.unlink()
        path.write_bytes(damage)
    built = build(project, {"REPROBOX_CACHE": str(cache)})
    assert built["image_digest"] == finished[1]
    assert [layer["cached"] for layer in built["layers"]].count(False) == len(built["layers"]) - 1


def test_a_layer_cut_short_is_made_again(project, finished, cache, forgotten):
    blob = blob_of(next(path for name, path in records(cache).items() if "numpy" in name))
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data[: len(data) // 2])
    assert build(project, {"REPROBOX_CACHE": str(cache)})["image_digest"] == finished[1]


def wheel_path(project, cache, name):
    locked = tomllib.loads((project / "spec.lock").read_text())["wheel"]
    sha256 = next(wheel["sha256"] for wheel in locked if wheel["name"] == name)
    return cache / "blobs" / "sha256" / sha256[:2] / sha256


def forget_wheel_layers(cache):
    for name, path in records(cache).items():
        if "numpy" in name or "packages" in name:
            path.unlink()


@pytest.mark.parametrize("position", [0.001, 0.5, 0.9999])
def test_a_downloaded_wheel_with_one_flipped_byte_never_enters_an_image(project, finished, cache, position, forgotten):
    """Size and time are as before: only its hash tells."""
    wheel = wheel_path(project, cache, "numpy")
    forget_wheel_layers(cache)
    flip_byte(wheel, int(wheel.stat().st_size * position))
    assert build(project, {"REPROBOX_CACHE": str(cache)})["image_digest"] == finished[1]


def test_a_downloaded_debian_package_with_one_flipped_byte_is_had_again(project, finished, cache, forgotten):
    locked = tomllib.loads((project / "spec.lock").read_text())["base"]["package"]
    sha256 = next(package["sha256"] for package in locked if package["name"] == "libc-bin")
    for path in records(cache).values():
        path.unlink()
    package = cache / "blobs" / "sha256" / sha256[:2] / sha256
    flip_byte(package, package.stat().st_size // 2)
    assert build(project, {"REPROBOX_CACHE": str(cache)})["image_digest"] == finished[1]


@pytest.mark.parametrize("kept", [0, 1000, -1])
def test_a_download_that_was_cut_off_is_resumed(project, finished, cache, kept, forgotten):
    wheel = wheel_path(project, cache, "numpy")
    forget_wheel_layers(cache)
    data = wheel.read_bytes()
    wheel.unlink()
    wheel.with_suffix(".stamp").unlink(missing_ok=True)
    wheel.with_suffix(".part").write_bytes(data[:kept])
    assert build(project, {"REPROBOX_CACHE": str(cache)})["image_digest"] == finished[1]
    assert wheel.read_bytes() == data
    assert not wheel.with_suffix(".part").exists()


def test_a_cut_off_download_with_wrong_bytes_is_thrown_away(project, finished, cache, forgotten):
    wheel = wheel_path(project, cache, "numpy")
    forget_wheel_layers(cache)
    wheel.unlink()
    wheel.with_suffix(".stamp").unlink(missing_ok=True)
    wheel.with_suffix(".part").write_bytes(b"something else" * 1000)
    first = call_program("build", "--json", project, env={"REPROBOX_CACHE": str(cache)}, check=False)
    assert "Traceback" not in first.stderr
    assert first.code in (0, 6), first.stderr
    assert build(project, {"REPROBOX_CACHE": str(cache)})["image_digest"] == finished[1]
