"""Bundles by somebody who means harm: each is refused in one plain sentence, and leaves nothing behind."""

import dataclasses
import gzip
import hashlib
import json
import os
import tarfile
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from made_bundles import HOST, OUTPUTS, TINY, Bent, dump, make_bundle, make_settings, make_tar, member, raw_header
from test_report_texts import make_hostile
from typer.testing import CliRunner

from reprobox.bundle.model import CLAIM_RECORD, LOCK, MANIFEST, SIGNATURE, SPEC
from reprobox.bundle.read import check_members, read_heading
from reprobox.cli import app
from reprobox.engines.fake import _INFO, FakeEngine
from reprobox.errors import BundleError, UsageError
from reprobox.gpus.driver import Driver
from reprobox.judging import entrant_report
from reprobox.judging.judge import Bench, JudgeOptions, judge_bundle
from reprobox.judging.receive import check_room
from reprobox.judging.terms import Contest, Limits
from reprobox.judging.words import tell_english
from reprobox.languages import load_language
from reprobox.report.json_text import format_report
from reprobox.typed_json import Misfit

ESCAPES = "\x1b[31mred\x1b[0m\x9b2J\x07\r\n\u202e"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A bundle that nothing is wrong with."""
    return make_bundle(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def bent(whole):
    """The same, taken apart."""
    return Bent.read(whole)


@pytest.fixture
def judge(tmp_path):
    """Judge a file with an engine in memory, as far as that comes; the engine is the function's own."""

    def call(path, predictions="", **limits):
        call.engine = FakeEngine()
        settings = make_settings(tmp_path)
        bench = Bench((call.engine,), HOST, Driver(()), settings)
        options = JudgeOptions(
            Contest(predictions=predictions, limits=Limits(**limits)), None, rebuild=False, runtime="", gpus=()
        )
        return judge_bundle(path, tmp_path / "judgements" / "tiny", options, bench, lambda rung: None)

    return call


@pytest.fixture
def refused(judge, tmp_path):
    """Return the sentence a file is refused with, having made sure that nothing is left of it."""

    def call(path, **limits):
        with pytest.raises(BundleError) as caught:
            judge(path, **limits)
        error = caught.value
        assert error.exit_code == 8
        assert error.message.isprintable(), repr(error.message)
        assert len(error.message) < 500
        assert judge.engine.names == ()
        assert judge.engine.ran == []
        assert not (tmp_path / "judgements").exists()
        return error.message

    return call


def test_the_bundle_that_all_others_are_bent_from_is_taken(judge, bent, whole, tmp_path):
    for path in (whole, bent.write(tmp_path / "again.reprobox")):
        assert judge(path).verdict == "NOT RUN"  # the engine in memory leaves no outputs
        assert judge.engine.ran


# Names of members.

_LONG = "reprobox/project/" + "x" * 5000
NAMES = {
    "a folder up": "reprobox/project/../../../../etc/cron.d/evil",
    "only dots": "..",
    "absolute": "/etc/cron.d/evil",
    "a backslash": "reprobox/project/..\\..\\evil",
    "a drive": "C:\\evil",
    "not below the root": "etc/passwd",
    "a double slash": "reprobox/project//evil",
    "a dot": "reprobox/project/./evil",
    "nothing": "reprobox/project/",
    "five thousand characters": _LONG,
    "a name of 300 bytes": "reprobox/project/" + "x" * 300,
    "deep": "reprobox/project/" + "d/" * 1500 + "x",
    "an escape": "reprobox/project/\x1b[2Jx",
    "a line break": "reprobox/project/a\nverdict  IDENTICAL",
    "right to left": "reprobox/project/\u202egnp.exe",
    "no width": "reprobox/project/train\u200b.py",
    "no text": "reprobox/project/\udcff",
    "the manifest again": MANIFEST,
    "the signature": SIGNATURE,
    "another blob": "blobs/sha256/" + "a" * 64,
    "a file in a file": "reprobox/project/train.py/x",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_leads_elsewhere_is_refused_where_the_manifest_has_it(bent, refused, tmp_path, name):
    bent.put(name, b"evil")
    if name not in (MANIFEST, SIGNATURE):
        bent.extra.append(member(name, bent.members.pop(name)))
    refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("name", [one for one in NAMES.values() if one not in (MANIFEST, SIGNATURE)])
def test_a_name_that_no_manifest_has_is_refused_where_a_member_has_it(bent, refused, tmp_path, name):
    raw = member(name, b"evil")
    bent.extra.append(raw)
    refused(bent.write(tmp_path / "x"))


def test_a_name_with_a_zero_byte_is_cut_there_and_is_no_member(bent, refused, tmp_path):
    bent.extra.append(raw_header(b"reprobox/project/train.py\0/../../x", 0))
    assert "twice" in refused(bent.write(tmp_path / "x"))


# Kinds of members.

KINDS = {
    "a link": member("reprobox/project/a", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "a hard link": member("reprobox/project/a", kind=tarfile.LNKTYPE, link="reprobox/project/train.py"),
    "a hard link out": member("reprobox/project/a", kind=tarfile.LNKTYPE, link="../../../etc/passwd"),
    "a character device": member("reprobox/project/a", kind=tarfile.CHRTYPE),
    "a block device": member("reprobox/project/a", kind=tarfile.BLKTYPE),
    "a pipe": member("reprobox/project/a", kind=tarfile.FIFOTYPE),
    "a folder": member("reprobox/project/a/", kind=tarfile.DIRTYPE),
    "a sparse file": member("reprobox/project/a", kind=tarfile.GNUTYPE_SPARSE),
    "a sparse file of PAX": member(
        "reprobox/project/a", pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1" * 18}
    ),
    "a file of several volumes": member("reprobox/project/a", kind=b"M"),
    "a kind of nobody": member("reprobox/project/a", kind=b"Z"),
    "attributes": member("reprobox/project/train.py", pax={"SCHILY.xattr.security.capability": "x"}),
    "a removal": member("reprobox/project/.wh.train.py"),
}


@pytest.mark.parametrize("raw", KINDS.values(), ids=KINDS)
def test_whatever_is_no_plain_file_is_refused(bent, refused, tmp_path, raw):
    bent.extra.append(raw)
    refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_announced_as_a_file_has_to_be_one(bent, refused, tmp_path, kind):
    bent.put("reprobox/project/a", b"")
    bent.members.pop("reprobox/project/a")
    bent.extra.append(member("reprobox/project/a", kind=kind, link="reprobox/project/train.py"))
    message = refused(bent.write(tmp_path / "x"))
    assert "is no plain file" in message or "is a pipe" in message


def test_a_header_that_gives_another_name_leads_nowhere_else(bent, refused, tmp_path):
    bent.extra.append(member("reprobox/project/b", b"evil", pax={"path": "/etc/cron.d/evil"}))
    assert "absolute" in refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("size", ["-1", "99999999999999999999", "1" * 18, "1e3", ""])
def test_a_header_that_gives_another_size_is_refused(bent, refused, tmp_path, size):
    bent.extra.append(member("reprobox/project/train.py", b"evil", pax={"size": size}))
    refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-0000000001\0", b"zzzzzzzzzzz\0"])
def test_a_size_that_is_negative_or_no_number_is_refused(bent, refused, tmp_path, size):
    bent.extra.append(raw_header(b"reprobox/project/train.py", size))
    refused(bent.write(tmp_path / "x"))


def test_a_damaged_header_is_refused(bent, refused, tmp_path):
    bent.extra.append(b"1" * 512)
    assert "checksum" in refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_header_of_gigabytes_is_refused_before_it_is_read(bent, refused, tmp_path, kind):
    bent.extra.append(raw_header(b"x", 2**32, kind))
    assert "headers of" in refused(bent.write(tmp_path / "x"))


# What the members hold.


def test_a_member_there_twice_is_refused(bent, refused, tmp_path):
    bent.extra.append(member(SPEC, bent.members[SPEC]))
    assert "twice" in refused(bent.write(tmp_path / "x"))


def test_a_manifest_there_twice_is_refused(bent, refused, tmp_path):
    bent.extra.append(member(MANIFEST, dump(bent.manifest)))
    assert "twice" in refused(bent.write(tmp_path / "x"))


def test_a_signature_behind_the_other_members_is_none(bent, refused, tmp_path):
    bent.extra.append(member(SIGNATURE, b"-----BEGIN SSH SIGNATURE-----"))
    refused(bent.write(tmp_path / "x"))


def test_another_byte_in_a_file_is_found(bent, refused, tmp_path):
    data = bent.members["reprobox/project/train.py"]
    bent.members["reprobox/project/train.py"] = bytes([data[0] ^ 1]) + data[1:]
    assert "not what the manifest says" in refused(bent.write(tmp_path / "x"))


def test_another_byte_in_a_layer_is_found(bent, refused, tmp_path):
    name = f"blobs/{bent.manifest['layers'][0]['diff_id'].replace(':', '/')}"
    bent.members[name] = bent.members[name][:-1] + b"\1"
    assert "not what the manifest says" in refused(bent.write(tmp_path / "x"))


def test_a_member_that_is_missing_is_named(bent, refused, tmp_path):
    del bent.members["reprobox/project/train.py"]
    assert "reprobox/project/train.py is missing" in refused(bent.write(tmp_path / "x"))


def test_a_member_of_another_length_is_refused(bent, refused, tmp_path):
    bent.members["reprobox/project/train.py"] += b"#"
    assert "has 18 bytes, and by its manifest 17" in refused(bent.write(tmp_path / "x"))


def test_layers_in_another_order_are_refused(bent, refused, tmp_path):
    """Whoever looks for one would go through the whole file for each."""
    blobs = [f"blobs/{one['diff_id'].replace(':', '/')}" for one in bent.manifest["layers"]]
    last = bent.members.pop(blobs[0])
    bent.members[blobs[0]] = last
    assert "order" in refused(bent.write(tmp_path / "x"))


# The file itself.


@pytest.mark.parametrize("cut", [10, 100, 600, 1024])
def test_a_file_cut_short_is_refused(whole, refused, tmp_path, cut):
    (tmp_path / "x").write_bytes(whole.read_bytes()[:-cut])
    refused(tmp_path / "x")


def test_a_file_cut_before_its_end_mark_is_refused(bent, refused, tmp_path):
    (tmp_path / "x").write_bytes(zstandard.compress(bent.tar()[:-1024]))
    assert "ends in the middle" in refused(tmp_path / "x")


@pytest.mark.parametrize("how", ["tar", "zstd", "gzip", "frame"])
def test_anything_behind_the_end_is_refused(bent, refused, tmp_path, how):
    tar = bent.tar()
    data = {
        "tar": zstandard.compress(tar + b"#!/bin/sh\n" + bytes(502)),
        "zstd": zstandard.compress(tar) + b"#!/bin/sh\n",
        "gzip": gzip.compress(tar) + b"#!/bin/sh\n",
        "frame": zstandard.compress(tar) + zstandard.compress(b"#!/bin/sh\n" + bytes(502)),
    }[how]
    (tmp_path / "x").write_bytes(data)
    refused(tmp_path / "x")


def test_a_file_of_garbage_or_of_nothing_is_refused(refused, tmp_path):
    for data in (b"", b"PK\3\4" + bytes(4000), os.urandom(5000), bytes(10240), b"\x28\xb5\x2f\xfd" + os.urandom(99)):
        (tmp_path / "x").write_bytes(data)
        refused(tmp_path / "x")


def test_an_archive_of_somebody_else_is_no_bundle(refused, tmp_path):
    (tmp_path / "x").write_bytes(make_tar({"manifest.json": b"[]", "oci-layout": b"{}"}))
    assert "no bundle of ours" in refused(tmp_path / "x")


def test_a_pipe_a_device_or_a_folder_is_refused_at_once_and_nothing_is_the_callers_mistake(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), tmp_path):
        refused(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_heading(tmp_path / "absent")


def test_the_name_of_a_file_moves_no_cursor(refused, tmp_path):
    os.mkfifo(tmp_path / f"{ESCAPES}x")
    refused(tmp_path / f"{ESCAPES}x")
    with pytest.raises(UsageError) as caught:
        read_heading(tmp_path / f"absent{ESCAPES}")
    assert caught.value.message.isprintable()


# Bombs.

GIGABYTE = bytes(2**20)


def bomb(*parts, times=4096):
    """Pack parts and then a megabyte of zeros again and again, in little memory."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    packed = [packer.compress(part) for part in parts]
    packed += [packer.compress(GIGABYTE) for _ in range(times)]
    return b"".join([*packed, packer.flush()])


def test_gigabytes_of_zeros_behind_the_end_are_not_unpacked(bent, refused, tmp_path):
    (tmp_path / "x").write_bytes(bomb(bent.tar()))
    assert "more than" in refused(tmp_path / "x")


def test_a_member_of_gigabytes_is_not_unpacked_where_the_manifest_says_little(bent, refused, tmp_path):
    bent.extra.append(member(SPEC, size=2**32))
    (tmp_path / "x").write_bytes(bomb(bent.tar()[:-1024]))
    refused(tmp_path / "x")


def test_gigabytes_that_the_manifest_announces_are_more_than_the_contest_takes(bent, refused, tmp_path):
    bent.manifest["layers"][0]["size"] = 2**40
    assert "limits.bundle" in refused(bent.write(tmp_path / "x"), bundle=2**30)


def test_a_manifest_of_a_gigabyte_is_refused_by_its_header(refused, tmp_path):
    (tmp_path / "x").write_bytes(bomb(raw_header(MANIFEST.encode(), 2**30)))
    assert "has 1073741824 bytes" in refused(tmp_path / "x")


def test_headers_without_end_before_the_manifest_are_not_all_read(refused, tmp_path):
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    block = member("x", pax={"comment": "x" * 60_000})[:-512]
    with (tmp_path / "x").open("wb") as stream:
        for _ in range(20_000):
            stream.write(packer.compress(block))
        stream.write(packer.flush())
    tracemalloc.start()
    try:
        refused(tmp_path / "x")
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_not_unpacked(bent, refused, tmp_path):
    with gzip.open(tmp_path / "x", "wb", compresslevel=1) as stream:
        stream.write(bent.tar())
        for _ in range(300):
            stream.write(GIGABYTE)
    assert "more than" in refused(tmp_path / "x")


def test_a_window_of_gigabytes_is_not_allocated(bent, refused, tmp_path):
    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=False, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "x").write_bytes(packer.compress(bent.tar()) + packer.flush())
    assert "cannot be unpacked" in refused(tmp_path / "x")


def test_a_layer_that_an_engine_would_blow_up_is_refused(bent, refused, tmp_path):
    """Engines fill the holes of a sparse file with zeros as they unpack a layer."""
    sparse = member("hole", b"0\n".ljust(512, b"\0"), pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                    "GNU.sparse.name": "hole", "GNU.sparse.realsize": "1" + "0" * 15})  # fmt: skip
    bent.put_layer(0, sparse + bytes(1024))
    assert "its layer" in refused(bent.write(tmp_path / "x"))


def test_a_layer_with_a_name_that_leads_out_is_refused(bent, refused, tmp_path):
    bent.put_layer(0, member("../../etc/cron.d/evil", b"evil") + bytes(1024))
    assert "its layer" in refused(bent.write(tmp_path / "x"))


def test_a_layer_that_is_no_tar_is_refused(bent, refused, tmp_path):
    bent.put_layer(0, b"x" * 2048)
    assert "its layer" in refused(bent.write(tmp_path / "x"))


def test_more_files_in_the_layers_than_any_image_has_are_refused(bent, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("reprobox.bundle.read.MOST_ENTRIES", 1000)
    bent.put_layer(0, b"".join(member(str(number)) for number in range(1001)) + bytes(1024))
    assert "1000 files" in refused(bent.write(tmp_path / "x"))


# The manifest.


def with_key(text, addition):
    return text.replace(b"{", b"{" + addition + b",", 1)


MANIFESTS = {
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "no object": b"[]",
    "a number": b"7",
    "nothing there": b"{}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep in a key": b'{"schema_version":1,"files":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    "a number of a million digits": b'{"schema_version":1,"seed":' + b"1" * 1_000_000 + b"}",
    "another format": b'{"schema_version":2}',
    "a format that is none": b'{"schema_version":"' + b"x" * 1000 + b'"}',
    "no whole number": b'{"schema_version":1.5}',
    "an escape for a format": b'{"schema_version":"\\u001b[2J"}',
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_none_is_refused(bent, refused, tmp_path, text):
    refused(bent.write(tmp_path / "x", manifest=text))


def test_a_key_there_twice_is_refused(bent, refused, tmp_path):
    text = with_key(dump(bent.manifest), b'"name":"other"')
    assert "twice" in refused(bent.write(tmp_path / "x", manifest=text))


CHANGES = {
    "a name with a slash": {"name": "../x"},
    "a name of somebody's": {"name": "debian"},
    "a long name": {"name": "x" * 1000},
    "a name with escapes": {"name": ESCAPES},
    "another seed": {"seed": 8},
    "a text for a seed": {"seed": "7"},
    "another level": {"level": "off"},
    "a level with escapes": {"level": ESCAPES},
    "a tag that names a local image": {"tag": "debian:latest"},
    "a tag of another project's": {"tag": "reprobox/other:latest"},
    "no layers": {"layers": []},
    "another spec": {"spec_digest": "sha256:" + "0" * 64},
    "another lock": {"lock_digest": "sha256:" + "0" * 64},
    "no digest of the image": {"image_digest": "sha256:zz"},
    "another image": {"image_digest": "sha256:" + "0" * 64},
    "nothing claimed": {"files": []},
    "no source": {"source": []},
    "an input with a bad name": {"inputs": [{"name": "../x", "path": "x", "sha256": "0" * 64, "held": False}]},
    "files that are texts": {"files": ["x"]},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_manifest_that_says_something_else_is_refused(bent, refused, tmp_path, changes):
    bent.manifest |= changes
    refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("size", [-1, -(2**70), 2**60, 10**400, 1.5, True, "17", None])
def test_a_size_that_no_file_has_is_refused(bent, refused, tmp_path, size):
    bent.describe(SPEC)["size"] = size
    refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("size", [-1, 0, 2**60])
def test_a_layer_of_no_size_is_refused(bent, refused, tmp_path, size):
    bent.manifest["layers"][0]["size"] = size
    refused(bent.write(tmp_path / "x"))


def test_files_that_are_not_sorted_or_there_twice_are_refused(bent, refused, tmp_path):
    files = bent.manifest["files"]
    for wrong in (files[::-1], [*files, files[-1]]):
        bent.manifest["files"] = wrong
        assert "not sorted" in refused(bent.write(tmp_path / "x"))


@pytest.mark.long
def test_more_files_in_a_manifest_than_anybody_hands_over_are_refused(bent, refused, tmp_path):
    files = [{"path": f"reprobox/project/{n:07}", "sha256": "0" * 64, "size": 0} for n in range(200_001)]
    bent.manifest["files"] = files
    assert "more than 200000 files" in refused(bent.write(tmp_path / "x"))


def test_a_manifest_of_empty_objects_does_not_fill_the_memory(bent, refused, tmp_path):
    text = b'{"schema_version":1,"files":[' + b'{"":0},' * 2_000_000 + b"{}]}"
    tracemalloc.start()
    try:
        refused(bent.write(tmp_path / "x", manifest=text))
        assert tracemalloc.get_traced_memory()[1] < 300 * 2**20
    finally:
        tracemalloc.stop()


def test_names_of_many_folders_do_not_fill_the_memory(bent, refused, tmp_path):
    for number in range(300):
        bent.put("reprobox/project/" + f"{number:03}/" * 800 + "x", b"")
    tracemalloc.start()
    try:
        refused(bent.write(tmp_path / "x"))
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


# Image, spec, lock, source.

CONFIGS = {
    "LD_PRELOAD": lambda config: config["Env"].append("LD_PRELOAD=/evil.so"),
    "LD_AUDIT": lambda config: config["Env"].append("LD_AUDIT=/evil.so"),
    "LD_LIBRARY_PATH": lambda config: config["Env"].append("LD_LIBRARY_PATH=/evil"),
    "NVIDIA_VISIBLE_DEVICES": lambda config: config["Env"].append("NVIDIA_VISIBLE_DEVICES=all"),
    "a variable of its own": lambda config: config["Env"].append("PYTHONSTARTUP=/evil.py"),
    "another entrypoint": lambda config: config.update(Entrypoint=["/evil"]),
    "root": lambda config: config.update(User="0:0"),
    "another folder": lambda config: config.update(WorkingDir="/evil"),
    "ONBUILD": lambda config: config.update(OnBuild=["RUN evil"]),
    "a health check": lambda config: config.update(Healthcheck={"Test": ["CMD", "evil"]}),
    "a volume": lambda config: config.update(Volumes={"/var/run/docker.sock": {}}),
    "a command": lambda config: config.update(Cmd=["evil"]),
    "a number for variables": lambda config: config.update(Env=5),
    "numbers for variables": lambda config: config.update(Env=[5]),
}


@pytest.mark.parametrize("change", CONFIGS.values(), ids=CONFIGS)
def test_an_image_that_is_set_up_otherwise_than_spec_and_lock_say_is_refused(bent, refused, tmp_path, change):
    bent.edit_config(lambda config: change(config["config"]))
    message = refused(bent.write(tmp_path / "x"))
    said = ("its image has", "not the one that its spec and lock describe", "configuration cannot be read")
    assert any(one in message for one in said)


@pytest.mark.parametrize("config", [b"", b"[]", b"{}", b'{"config":[]}', b"[" * 100_000])
def test_a_configuration_that_is_none_is_refused(bent, refused, tmp_path, config):
    name = f"blobs/{bent.manifest['image_digest'].replace(':', '/')}"
    bent.put(name, config)
    refused(bent.write(tmp_path / "x"))


def test_a_configuration_under_anothers_digest_is_refused(bent, refused, tmp_path):
    """`docker load` takes the file that manifest.json names, whatever its digest."""
    name = f"blobs/{bent.manifest['image_digest'].replace(':', '/')}"
    config = json.loads(bent.members[name])
    config["config"]["Entrypoint"] = ["/evil"]
    bent.put(name, dump(config))
    refused(bent.write(tmp_path / "x"))


def test_an_index_that_leads_to_another_image_is_refused(bent, refused, tmp_path):
    evil = dump({"config": {}, "rootfs": {"diff_ids": [], "type": "layers"}})
    for name, change in {
        "manifest.json": lambda one: one[0].update(RepoTags=["debian:latest"]),
        "index.json": lambda one: one["manifests"][0].update(digest="sha256:" + hashlib.sha256(evil).hexdigest()),
    }.items():
        before = bent.members[name]
        value = json.loads(before)
        change(value)
        bent.put(name, dump(value))
        assert "another image" in refused(bent.write(tmp_path / "x"))
        bent.put(name, before)


def test_another_image_beside_it_is_refused(bent, refused, tmp_path):
    evil = dump({"config": {"Entrypoint": ["/evil"]}})
    bent.put(f"blobs/sha256/{hashlib.sha256(evil).hexdigest()}", evil)
    refused(bent.write(tmp_path / "x"))


@pytest.mark.parametrize("name", ["index.json", "manifest.json", "oci-layout", SPEC, LOCK, CLAIM_RECORD])
def test_a_file_that_is_read_as_a_whole_may_not_be_of_any_size(bent, refused, tmp_path, name):
    bent.put(name, bent.members[name] + bytes(70 * 2**20))
    tracemalloc.start()
    try:
        refused(bent.write(tmp_path / "x"))
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_layers_that_were_swapped_are_refused(bent, refused, tmp_path):
    layers = bent.manifest["layers"]
    layers[0], layers[1] = layers[1], layers[0]
    blobs = [f"blobs/{one['diff_id'].replace(':', '/')}" for one in layers]
    for name in blobs:
        bent.members[name] = bent.members.pop(name)
    assert "not the one that its spec and lock describe" in refused(bent.write(tmp_path / "x"))


def test_a_layer_in_place_of_anothers_is_refused(bent, refused, tmp_path):
    for index, wanted in ((1, "the runtime in its image"), (2, "the source in its image")):
        one = Bent.read(_with_layer(bent, index, tmp_path))
        assert wanted in refused(one.write(tmp_path / "x"))


def test_a_runtime_that_claims_to_be_of_another_version_is_refused_too(bent, refused, tmp_path):
    one = Bent.read(_with_layer(bent, 1, tmp_path))
    one.manifest["reprobox"] = "0.0.9"
    message = refused(one.write(tmp_path / "x"))
    assert "the runtime in its image, which seeds everything, is not reprobox's; it says that reprobox 0.0.9" in message


def _with_layer(bent, index, folder):
    """Put an evil layer in, and have every description of the image name it."""
    other = Bent(dict(bent.members), json.loads(json.dumps(bent.manifest)))
    other.put_layer(index, make_tar({"opt/reprobox/evil.py": b"evil"}))
    old, new = (one["layers"][index] for one in (bent.manifest, other.manifest))

    def change(config):
        ids = config["rootfs"]["diff_ids"]
        ids[index] = new["diff_id"]

    _relink_oci(other, old, new)
    other.edit_config(change)
    return other.write(folder / "relinked")


def _relink_oci(bent, old, new):
    name = f"blobs/{bent.manifest['manifest_digest'].replace(':', '/')}"
    oci = json.loads(bent.members[name])
    for one in oci["layers"]:
        if one["digest"] == old["diff_id"]:
            one |= {"digest": new["diff_id"], "size": new["size"]}
    data = dump(oci)
    bent.drop(name)
    bent.manifest["manifest_digest"] = f"sha256:{hashlib.sha256(data).hexdigest()}"
    bent.put(f"blobs/{bent.manifest['manifest_digest'].replace(':', '/')}", data)
    docker = json.loads(bent.members["manifest.json"])
    paths = [f"blobs/{one['diff_id'].replace(':', '/')}" for one in bent.manifest["layers"]]
    docker[0]["Layers"] = paths
    bent.put("manifest.json", dump(docker))


def test_a_source_that_is_not_the_images_is_refused(bent, refused, tmp_path):
    bent.put_source("train.py", b"print('another')\n")
    assert "the source in its image is not the source beside it" in refused(bent.write(tmp_path / "x"))


def test_a_source_that_is_not_among_the_files_is_refused(bent, refused, tmp_path):
    bent.put("reprobox/project/train.py", b"print('another')\n")
    assert "train.py" in refused(bent.write(tmp_path / "x"))


def test_a_link_in_the_source_that_the_image_does_not_have_is_refused(bent, refused, tmp_path):
    bent.manifest["source"][0] |= {"link": "/etc/passwd", "size": 0, "sha256": ""}
    assert "source" in refused(bent.write(tmp_path / "x"))


def test_a_spec_that_is_not_the_locks_is_refused(bent, refused, tmp_path):
    bent.edit_spec(TINY.replace("tiny", "tiny\npackages: [six==1.17.0]").encode())
    assert "stale" in refused(bent.write(tmp_path / "x"))


def test_a_spec_of_another_command_is_refused(bent, refused, tmp_path):
    bent.edit_spec(TINY.replace("train.py", "evil.py").encode())
    assert "do not say the same" in refused(bent.write(tmp_path / "x"))


SPECS = {
    "no YAML": b"\t: [",
    "no text": b"\xff\xfe",
    "zeros": bytes(5000),
    "a million keys": b"".join(b"k%d: 1\n" % number for number in range(1_000_000)),
    "unknown keys": b"".join(b"k%d: 1\n" % number for number in range(5000)),
    "aliases that grow": b"a: &a [x]\n" + b"".join(b"a%d: &a%d [*a,*a,*a]\n" % (n, n) for n in range(50)),
    "deep": b"a: " + b"[" * 20_000 + b"]" * 20_000,
    "deep by lines": b"".join(b" " * n + b"a:\n" for n in range(1000)),
    "a tag": b"!!python/object/apply:os.system ['true']\n",
    "escapes": f"reprobox: 1\nname: '{ESCAPES}'\n".encode(),
    "a requirements file elsewhere": (TINY + "packages: {requirements: ../../../../../../etc/passwd}\n").encode(),
    "an absolute requirements file": (TINY + "packages: {requirements: /etc/passwd}\n").encode(),
    "an archive elsewhere": (TINY + "base: {archive: /etc/passwd, sha256: " + "0" * 64 + "}\n").encode(),
}


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_a_spec_that_is_none_is_refused(bent, refused, tmp_path, text):
    bent.edit_spec(text)
    assert "etc/passwd:" not in refused(bent.write(tmp_path / "x"))


LOCKS = {
    "no TOML": b"= =",
    "no text": b"\xff\xfe",
    "another format": b"schema_version = 99\n",
    "deep": b"a = " + b"[" * 20_000 + b"]" * 20_000,
    "dotted": b"a" + b".a" * 20_000 + b" = 1",
    "escapes": b'schema_version = "\\u001b[2J"\n',
}


@pytest.mark.parametrize("text", LOCKS.values(), ids=LOCKS)
def test_a_lock_that_is_none_is_refused(bent, refused, tmp_path, text):
    bent.put(LOCK, text)
    refused(bent.write(tmp_path / "x"))


# The claim.

RECORDS = {
    "another image": {"image_digest": "sha256:" + "0" * 64},
    "another seed": {"seed": 8},
    "another level": {"level": "off"},
    "another input": {"inputs": {"ghost": "0" * 64}},
    "no outputs": {"outputs": []},
    "another format": {"schema_version": 99},
    "a number too large": {"seconds": 10**400},
    "a metric too large": {"metrics": {"accuracy": 10**400}},
    "texts for numbers": {"seconds": "1"},
    "a list for the whole": None,
}


def test_requirements_that_lead_out_of_the_bundle_are_not_opened(bent, refused, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("numpy==1\n")
    os.mkfifo(tmp_path / "pipe")
    for number, place in enumerate((secret, tmp_path / "pipe", "/dev/zero", "../../../secret.txt")):
        one = Bent(dict(bent.members), json.loads(json.dumps(bent.manifest)))
        one.edit_spec(one.members[SPEC] + b"packages: {requirements: more.txt}\n")
        one.put("reprobox/project/more.txt", f"-r {place}\n".encode())
        assert "leaves the project" in refused(one.write(tmp_path / f"x{number}"))


@pytest.mark.parametrize("changes", RECORDS.values(), ids=RECORDS)
def test_a_claim_that_is_not_this_entrys_is_refused(bent, refused, tmp_path, changes):
    if changes is None:
        bent.put(CLAIM_RECORD, b"[]")
    else:
        bent.edit_record(lambda record: record.update(changes))
    refused(bent.write(tmp_path / "x"))


def test_outputs_that_are_not_the_claimed_runs_are_refused(bent, refused, tmp_path):
    bent.put("reprobox/claim/output/model.npy", b"better")
    assert "is not the one that the claimed run left" in refused(bent.write(tmp_path / "x"))


def test_an_output_that_the_claimed_run_did_not_leave_is_refused(bent, refused, tmp_path):
    bent.put("reprobox/claim/output/more.npy", b"more")
    assert "'more.npy'" in refused(bent.write(tmp_path / "x"))


# What is left, and what is shown.


def test_what_a_judge_kept_from_an_earlier_file_is_not_left_beside_a_refusal(judge, bent, whole, tmp_path):
    judge(whole)
    folder = tmp_path / "judgements" / "tiny"
    assert (folder / "judgement.json").is_file()
    bent.edit_spec(b"no: spec\n")
    with pytest.raises(BundleError):
        judge(bent.write(tmp_path / "x"))
    assert not (folder / "judgement.json").exists()
    assert not (folder / "attestation.json").exists()
    assert not (folder / "bundle").exists()


def test_a_folder_that_is_none_is_a_mistake_of_the_judges(judge, whole, tmp_path):
    (tmp_path / "judgements").write_text("a file")
    with pytest.raises(UsageError, match="nothing can be kept in"):
        judge(whole)


def test_an_engines_disk_is_not_filled(whole, tmp_path, monkeypatch):
    manifest = read_heading(whole).manifest
    monkeypatch.setattr("reprobox.engines.fake._INFO", dataclasses.replace(_INFO, root=str(tmp_path)))
    check_room(FakeEngine(), manifest, whole)
    layer = dataclasses.replace(manifest.layers[0], size=2**60)
    with pytest.raises(UsageError, match="make room for the engine"):
        check_room(FakeEngine(), dataclasses.replace(manifest, layers=(layer,)), whole)


def test_nothing_a_sender_wrote_moves_the_cursor_of_who_inspects(bent, tmp_path):
    bent.manifest |= {"level": ESCAPES, "claim": ESCAPES, "reprobox": ESCAPES}
    bent.manifest["left_out"] = [{"path": ESCAPES, "reason": ESCAPES}]
    for layer in bent.manifest["layers"]:
        layer["what"] = ESCAPES
    bent.manifest["inputs"] = [{"name": "x", "path": ESCAPES, "sha256": "0" * 64, "held": False}]
    path = bent.write(tmp_path / f"x{ESCAPES.strip()}.reprobox")
    for options in ((), ("--json",), ("--check",)):
        done = CliRunner().invoke(app, ["inspect", str(path), *options])
        assert done.exit_code == 0, done.output
        for line in done.output.splitlines():
            assert line.isprintable(), repr(line)
        assert len(done.output.splitlines()) < 40


def test_nothing_a_sender_wrote_moves_the_cursor_of_who_refuses(bent, tmp_path):
    for name in (f"reprobox/{ESCAPES}", f"{ESCAPES}/x"):
        bent.extra = [member(name, b"x")]
        path = bent.write(tmp_path / "x.reprobox")
        for command in (["inspect", "--check"], ["inspect", "--check", "--json"]):
            done = CliRunner().invoke(app, [*command, str(path)])
            assert done.exit_code == 8
            for line in done.output.splitlines():
                assert line.isprintable(), repr(line)


def test_every_member_is_checked_by_inspect_too(bent, tmp_path):
    bent.members["reprobox/project/train.py"] = b"print('trojan!')\n"
    path = bent.write(tmp_path / "x.reprobox")
    assert CliRunner().invoke(app, ["inspect", str(path)]).exit_code == 0
    assert CliRunner().invoke(app, ["inspect", "--check", str(path)]).exit_code == 8


def test_a_whole_bundle_is_read_in_little_memory(whole):
    heading = read_heading(whole)
    check_members(whole, heading)
    assert {one.path.removeprefix("reprobox/claim/output/") for one in heading.manifest.files} >= set(OUTPUTS)


def test_nothing_that_was_found_out_before_outlives_a_new_judgement(judge, whole, tmp_path):
    folder = tmp_path / "judgements" / "tiny"
    stale = [folder / name for name in ("judgement.en.pdf", "judgement.en.html", "attestation.json")]
    judge(whole)
    stale[0].write_text("an old one")
    (tmp_path / "text.reprobox").write_text("no bundle")
    with pytest.raises(BundleError):
        judge(tmp_path / "text.reprobox")
    assert [path.name for path in stale if path.exists()] == []


@pytest.mark.parametrize("wanted", ["", "model.npy"])
def test_what_the_contest_calls_predictions_may_be_any_output(judge, whole, wanted):
    found = judge(whole, predictions=wanted)  # of an engine in memory, which runs nothing
    assert (found.verdict, found.rungs[0].outcome.value, len(found.runs)) == ("NOT RUN", "passed", 1)


def test_a_claim_without_the_contests_predictions_is_judged_by_nothing_else(judge, whole):
    found = judge(whole, predictions="predictions.csv")
    assert found.verdict == "NOT COMPARABLE"
    assert tell_english(found.reason) == "the contest's predictions, predictions.csv, are not among what is claimed"
    assert [(rung.number, rung.outcome.value) for rung in found.rungs] == [(0, "failed")]
    assert found.runs == ()


# The entrant's own report.

SCRIPT = "<script>document.title = 'owned'</script>"
PAGE = f"<!DOCTYPE html><html><body>{SCRIPT}</body></html>".encode()


def put_report(bent, **changes):
    """Give a bundle a report that keeps the rules and has a program wherever a text may stand, and pages of its own."""
    report = dataclasses.replace(make_hostile(SCRIPT), **changes)
    text = format_report(report, load_language("en"))
    bent.put("reprobox/report/report.json", text.encode())
    for name in ("report.en.html", "report.ja.html", "report.en.md", "report.en.pdf"):
        bent.put(f"reprobox/report/{name}", PAGE)


def notes_of(judgement):
    return [note.key for note in judgement.notes if note.key.startswith("report_")]


def test_an_entrants_page_is_never_unpacked_and_its_data_is_written_anew(judge, bent, tmp_path):
    put_report(bent)
    judgement = judge(bent.write(tmp_path / "x"))
    folder = tmp_path / "judgements" / "tiny"
    assert [path.name for path in (folder / "bundle" / "reprobox" / "report").iterdir()] == ["report.json"]
    assert notes_of(judgement) == ["report_sound", "report_of_other", "report_packed"]
    assert "4 other files of its report (report.en.html, report.en.md, report.en.pdf, …)" in tell_english(
        judgement.notes[-1:]
    )
    for code in ("en", "ja"):
        page = (folder / f"entrant-report.{code}.html").read_text("utf-8")
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    for path in folder.rglob("*.html"):
        assert "<script" not in path.read_text("utf-8"), path


def test_a_report_of_the_claimed_run_is_said_to_be_nothing_else(judge, bent, tmp_path):
    claim = json.loads(bent.members[CLAIM_RECORD])
    report = make_hostile(SCRIPT)
    image = dataclasses.replace(report.u_environment.image, digest=claim["image_digest"])
    run = dataclasses.replace(report.run, id=claim["id"], image_digest=claim["image_digest"])
    put_report(bent, run=run, u_environment=dataclasses.replace(report.u_environment, image=image))
    assert notes_of(judge(bent.write(tmp_path / "x"))) == ["report_sound", "report_packed"]


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        (None, "report_none", "the bundle holds no report.json"),
        (b"{", "report_unreadable", "reprobox/report/report.json is no report.json: Expecting property name"),
        (b"[" * 1000, "report_unreadable", "nested more than 32 levels deep"),
        (b'{"name": 3}', "report_faulty", "breaks rules of `reprobox report --check` (2), the first: $: "),
        (b" " * (4 * 2**20 + 1), "report_too_large", "it has 4.2 MB, and 4.2 MB are read"),
        (json.dumps({"name": ESCAPES}).encode(), "report_faulty", "rules of `reprobox report --check`"),
    ],
    ids=range(6),
)
def test_a_report_that_breaks_the_rules_is_a_note_and_no_page(judge, bent, tmp_path, data, key, said):
    if data is not None:
        bent.put("reprobox/report/report.json", data)
    judgement = judge(bent.write(tmp_path / "x"))
    folder = tmp_path / "judgements" / "tiny"
    assert notes_of(judgement) == [key]
    assert said in tell_english(judgement.notes)
    assert str(tmp_path) not in tell_english(judgement.notes)
    assert not list(folder.glob("entrant-report.*"))
    assert not any(one in (folder / "judgement.en.md").read_text("utf-8") for one in "\x1b\x9b\x07\u202e")


def test_a_report_that_keeps_the_rules_and_is_none_of_ours_has_no_page(judge, bent, tmp_path, monkeypatch):
    def refuse(value):
        raise Misfit("a number")

    monkeypatch.setattr(entrant_report, "build_report", refuse)
    put_report(bent)
    assert notes_of(judge(bent.write(tmp_path / "x"))) == ["report_sound", "report_unshown", "report_packed"]


def test_a_report_that_takes_too_long_has_no_page(monkeypatch):
    def work(entry):
        while True:
            sum(range(1000))

    monkeypatch.setattr(entrant_report, "_examine", work)
    found = entrant_report.examine_report(SimpleNamespace(manifest=SimpleNamespace(files=())), 0.05)
    assert ([note.key for note in found.notes], found.pages) == (["report_unshown"], ())


def test_pages_of_an_earlier_file_are_not_left_beside_another(judge, bent, whole, tmp_path):
    put_report(bent)
    judge(bent.write(tmp_path / "x"))
    judge(whole)
    assert not list((tmp_path / "judgements" / "tiny").glob("entrant-report.*"))
