"""What a bundle is: the same bytes for the same project, taken apart and put together without loss."""

import dataclasses
import errno
import gzip
import os
import tarfile
import zlib

import pytest
import zstandard
from made_bundles import FILES, OUTPUTS, TINY, Bent, make_bundle

from reprobox.bundle.compression import detect, pack, unpack
from reprobox.bundle.manifest import LARGEST_MANIFEST, MOST_FILES, format_manifest, is_safe_path, parse_manifest
from reprobox.bundle.model import INPUTS, MANIFEST, PROJECT, BundledFile
from reprobox.bundle.packing import Compression
from reprobox.bundle.read import BundleLayers, check_members, extract_files, read_heading
from reprobox.bundle.secrets import find_named, find_variables, find_written
from reprobox.bundle_text import describe_bundle
from reprobox.errors import BundleError, UsageError
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A bundle of a tiny project."""
    return make_bundle(tmp_path_factory.mktemp("whole"))


def test_the_manifest_comes_back_as_it_was(whole):
    heading = read_heading(whole)
    assert parse_manifest(format_manifest(heading.manifest)) == heading.manifest
    assert format_manifest(heading.manifest) == heading.text


def test_exporting_twice_gives_the_same_bytes(whole, tmp_path):
    assert make_bundle(tmp_path).read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("change", [{"spec": TINY.replace("7", "8")}, {"files": {**FILES, "train.py": b"#\n"}},
                                    {"outputs": {**OUTPUTS, "model.npy": b"other"}}])  # fmt: skip
def test_another_spec_source_or_result_is_another_bundle(whole, tmp_path, change):
    assert read_heading(make_bundle(tmp_path, **change)).digest != read_heading(whole).digest


def test_a_bundles_digest_is_the_same_however_it_is_packed(whole, tmp_path):
    digests = set()
    for kind in Compression:
        (tmp_path / kind).mkdir()
        path = make_bundle(tmp_path / kind, compression=kind)
        assert detect(path) is kind
        heading = read_heading(path)
        check_members(path, heading)
        digests.add(heading.digest)
    assert digests == {read_heading(whole).digest}


def test_other_programs_unpack_what_was_packed(tmp_path):
    data = [b"a" * 100_000, b"", b"b" * 3]
    assert zlib.decompress(b"".join(pack(data, Compression.GZIP)), 31) == b"".join(data)
    packed = zstandard.ZstdDecompressor().stream_reader(b"".join(pack(data, Compression.ZSTD))).read()
    assert packed == b"".join(data)
    assert list(pack(data, Compression.NONE)) == data


def test_what_others_packed_in_several_frames_is_unpacked(tmp_path):
    (tmp_path / "x").write_bytes(zstandard.compress(b"one") + zstandard.compress(b"two"))
    assert b"".join(unpack(tmp_path / "x")) == b"onetwo"


@pytest.mark.parametrize("pack_whole", [gzip.compress, zstandard.compress])
def test_it_is_unpacked_a_megabyte_at_a_time(tmp_path, pack_whole):
    (tmp_path / "x").write_bytes(pack_whole(bytes(50 * 2**20)))
    sizes = [len(chunk) for chunk in unpack(tmp_path / "x")]
    assert sum(sizes) == 50 * 2**20
    assert max(sizes) <= 2**20


def test_any_tar_program_reads_it(whole, tmp_path):
    (tmp_path / "x").write_bytes(b"".join(unpack(whole)))
    with tarfile.open(tmp_path / "x") as tar:
        names = tar.getnames()
    assert names[0] == MANIFEST
    assert {"index.json", "manifest.json", "oci-layout", PROJECT + "train.py"} <= set(names)


def test_files_are_extracted_as_they_were_and_layers_are_not(whole, tmp_path):
    heading = read_heading(whole)
    extract_files(whole, heading, tmp_path)
    for name, data in FILES.items():
        assert (tmp_path / PROJECT / name).read_bytes() == data
    for name, data in OUTPUTS.items():
        assert (tmp_path / "reprobox/claim/output" / name).read_bytes() == data
    blobs = {path.name for path in (tmp_path / "blobs/sha256").iterdir()}
    assert blobs == {heading.manifest.image_digest[7:], heading.manifest.manifest_digest[7:]}
    assert not any(path.stat().st_mode & 0o111 for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_a_disk_that_takes_no_more_is_the_judges_own_matter(whole, tmp_path, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number), str(tmp_path))

    heading = read_heading(whole)
    monkeypatch.setattr("reprobox.bundle.read._make_folder", fail)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        extract_files(whole, heading, tmp_path)
    assert caught.value.errno == number


def test_extracted_files_can_be_read_by_the_user_of_a_container_whatever_the_umask(whole, tmp_path):
    before = os.umask(0o077)
    try:
        extract_files(whole, read_heading(whole), tmp_path)
    finally:
        os.umask(before)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_progress_ends_where_everything_is_read(whole):
    seen = []
    check_members(whole, read_heading(whole), on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)


def test_layers_are_read_in_any_order_and_twice(whole):
    manifest = read_heading(whole).manifest
    layers = [Layer(one.diff_id, one.size, one.what, whole, cached=True) for one in manifest.layers]
    reader = BundleLayers(whole, manifest)
    for layer in (*layers, *reversed(layers), layers[0]):
        assert sum(map(len, reader.read(layer))) == layer.size


def test_a_layer_that_another_file_has_in_its_place_is_refused(whole, tmp_path):
    manifest = read_heading(whole).manifest
    first = manifest.layers[0]
    bent = Bent.read(whole)
    name = f"blobs/{first.diff_id.replace(':', '/')}"
    for data in (bytes(first.size), bent.members[name][:-512], bent.members[name] + bytes(512)):
        bent.members[name] = data
        path = bent.write(tmp_path / "x")
        layer = Layer(first.diff_id, first.size, first.what, path, cached=True)
        with pytest.raises(BundleError, match="the layer"):
            list(BundleLayers(path, manifest).read(layer))


def test_a_thin_bundle_holds_only_what_is_the_entrants_own(tmp_path):
    manifest = read_heading(make_bundle(tmp_path, thin=True)).manifest
    assert manifest.thin
    assert [layer.held for layer in manifest.layers] == [False, True, True]


def test_a_signature_stands_behind_the_manifest_and_changes_no_digest(whole, tmp_path):
    path = make_bundle(tmp_path, key=lambda text: b"signed " + text[:5])
    heading = read_heading(path)
    assert heading.signature == b"signed " + heading.text[:5]
    assert heading.digest == read_heading(whole).digest
    check_members(path, heading)


def test_what_no_judge_would_take_is_not_exported(tmp_path):
    with pytest.raises(UsageError, match="deep"):
        make_bundle(tmp_path, files={"deep/" * 70 + "x": b""})
    assert not list(tmp_path.glob("*.reprobox"))


@pytest.mark.parametrize("path", ["a", "a/b.c", "ü/模型.pt", "a b", "...", "a..b/c", "x" * 255])
def test_ordinary_names_are_safe(path):
    assert is_safe_path(path)


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\nb", "a\x7f", "a\u200bb",
                                  "\ud800", "x" * 256, "d/" * 64 + "x", ("x" * 200 + "/") * 6])  # fmt: skip
def test_names_that_lead_elsewhere_or_look_like_others_are_not(path):
    assert not is_safe_path(path)


def test_a_manifest_of_as_many_files_as_are_taken_is_small_enough(whole):
    manifest = read_heading(whole).manifest
    file = BundledFile(f"{INPUTS}images/{'x' * 30}.jpg", "0" * 64, 100_000)
    one = len(format_manifest(dataclasses.replace(manifest, files=(file, file)))) - len(
        format_manifest(dataclasses.replace(manifest, files=(file,)))
    )
    assert one * MOST_FILES < 1.2 * LARGEST_MANIFEST


def test_a_description_names_everything_that_is_inside(whole):
    heading = read_heading(whole)
    text = describe_bundle(whole, heading, Compression.ZSTD, "no", checked=False)
    for wanted in ("tiny, seed 7", heading.digest, "Debian bookworm", "model.npy", "--check"):
        assert wanted in text


@pytest.mark.parametrize("name", [".env", "a/.env.local", ".netrc", "keys/server.pem", "id_ed25519", ".aws/credentials",
                                  "x/.git/config", "kaggle.json", "service-account-1.json"])  # fmt: skip
def test_files_where_programs_keep_secrets_are_found_by_their_names(name):
    assert [one.file for one in find_named([name, "train.py"])] == [name]


@pytest.mark.parametrize("name", [".env.example", "train.py", "environment.yml", "pemphigus.csv", "git/config"])
def test_other_names_are_no_secrets(name):
    assert list(find_named([name])) == []


SECRETS = {
    "a private key": "-----BEGIN OPENSSH PRIVATE" + " KEY-----",
    "a GitHub token": "ghp_" + "a1B2" * 9,
    "an AWS access key": "AKIA" + "ABCD2345" * 2,
    "a Hugging Face token": "hf_" + "a1B2c" * 6,
    "a Google API key": "AIza" + "a1B2c" * 7,
    "a Slack token": "xoxb-" + "1234567890-" * 2,
    "a URL with a password": "https://me:" + "hunter22@index.example/simple",
}


@pytest.mark.parametrize("what", SECRETS)
def test_what_looks_like_a_secret_is_found_with_its_line(what):
    text = f"# one\nkey = {SECRETS[what]}\n"
    assert [(one.where, one.what) for one in find_written("a.py", text.encode())] == [("a.py:2", what)]
    assert [one.what for one in find_variables([("PLAIN", SECRETS[what])])] == [f"it holds {what}"]


@pytest.mark.parametrize("text", ["https://index.example/simple", "hf_hub", "ghp_short", "user: name@example.org",
                                  "git+ssh://git@example.org/x", "https://${USER}:${TOKEN}@index.example"])  # fmt: skip
def test_what_is_none_is_not(text):
    assert list(find_written("a.py", text.encode())) == []


@pytest.mark.parametrize("name", ["API_KEY", "MY_TOKEN", "db_password", "AWS_SECRET_ACCESS_KEY", "SECRET"])
def test_variables_are_secrets_by_their_names_and_their_values_are_not_shown(name):
    (found,) = find_variables([(name, "hunter22"), ("TOKENIZERS_PARALLELISM", "0"), ("EMPTY_TOKEN", "")])
    assert found.where == f"env.{name}"
    assert "hunter22" not in str(found)


def test_a_project_with_a_secret_is_not_exported(tmp_path):
    files = {**FILES, ".env": b"x", "deploy.py": SECRETS["an AWS access key"].encode()}
    with pytest.raises(UsageError, match=r"(?s)\.env.*deploy\.py:1.*AWS"):
        make_bundle(tmp_path, files=files)
    assert not list(tmp_path.glob("*.reprobox"))
    assert LayerStore(tmp_path / "cache").find("base")  # it was the secret, and not the making of it
