"""Signatures of bundles, by OpenSSH's real program."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from made_bundles import Bent, dump, make_bundle, member

from reprobox.bundle.model import SIGNATURE
from reprobox.bundle.read import read_heading
from reprobox.bundle.signature import check_signature, sign
from reprobox.cli import app
from reprobox.errors import BundleError, UsageError

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH's client is not installed")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two keys, and a file that allows the first."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "other"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
        subprocess.run(argv, check=True, timeout=60)
    public = (folder / "mine.pub").read_text()
    (folder / "allowed").write_text(f"contestant@example.org {public}")
    (folder / "nobody").write_text("")
    return folder


@pytest.fixture(scope="module")
def signed(tmp_path_factory, keys):
    """A bundle that the first key signed."""
    return make_bundle(tmp_path_factory.mktemp("signed"), key=lambda text: sign(text, keys / "mine"))


def check(path, allowed):
    heading = read_heading(path)
    return check_signature(heading.text, heading.signature, allowed)


def test_who_signed_is_known_by_the_file_of_allowed_signers(signed, keys):
    assert check(signed, keys / "allowed") == "contestant@example.org"
    done = CliRunner().invoke(app, ["inspect", str(signed), "--allowed-signers", str(keys / "allowed")])
    assert done.exit_code == 0
    assert "signed   by contestant@example.org" in done.stdout


def refuse(path, allowed, words):
    with pytest.raises(BundleError, match=words):
        check(path, allowed)
    done = CliRunner().invoke(app, ["inspect", str(path), "--allowed-signers", str(allowed)])
    assert done.exit_code == 8


def test_a_bundle_without_a_signature_is_refused(tmp_path, keys):
    refuse(make_bundle(tmp_path), keys / "allowed", "is not signed")


def test_a_signature_of_somebody_else_is_refused(tmp_path, keys):
    path = make_bundle(tmp_path, key=lambda text: sign(text, keys / "other"))
    refuse(path, keys / "allowed", "of nobody in")


def test_nobody_is_allowed_by_an_empty_file(signed, keys):
    refuse(signed, keys / "nobody", "of nobody in")


def resign(bundle, path, signature):
    """Put another signature in the place of a bundle's own."""
    bent = Bent.read(bundle)
    bent.members.pop(SIGNATURE, None)
    members = [*((name, data) for name, data in bent.members.items())]
    heading = dump(bent.manifest)
    body = b"".join(member(name, data) for name, data in members[1:])
    path.write_bytes(member("reprobox/manifest.json", heading) + member(SIGNATURE, signature) + body + bytes(1024))
    return path, heading


def test_a_signature_of_other_bytes_is_refused(signed, tmp_path, keys):
    path, _ = resign(signed, tmp_path / "x", sign(b"other bytes", keys / "mine"))
    refuse(path, keys / "allowed", "not of this bundle")


def test_another_byte_in_the_manifest_makes_a_signature_worthless(signed, tmp_path, keys):
    path, heading = resign(signed, tmp_path / "x", read_heading(signed).signature)
    assert heading != read_heading(signed).text
    refuse(path, keys / "allowed", "not of this bundle")


def test_a_signature_for_something_else_is_refused(signed, tmp_path, keys):
    _, heading = resign(signed, tmp_path / "x", b"x")
    (tmp_path / "text").write_bytes(heading)
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", keys / "mine", "-n", "file", tmp_path / "text"]
    subprocess.run(argv, check=True, timeout=60)
    path, _ = resign(signed, tmp_path / "x", (tmp_path / "text.sig").read_bytes())
    refuse(path, keys / "allowed", "not of this bundle")


@pytest.mark.parametrize("signature", [b"x", b"\xff" * 1000, b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", bytes(60_000)])
def test_a_signature_that_is_none_is_refused(signed, tmp_path, keys, signature):
    path, _ = resign(signed, tmp_path / "x", signature)
    refuse(path, keys / "allowed", "of nobody in")


def test_a_signature_of_megabytes_is_not_read(signed, tmp_path, keys):
    path, _ = resign(signed, tmp_path / "x", bytes(2**20))
    with pytest.raises(BundleError, match="has 1048576 bytes"):
        read_heading(path)


def test_a_key_that_is_none_and_a_file_that_is_not_there_are_mistakes_of_the_caller(tmp_path, keys):
    (tmp_path / "key").write_text("no key")
    for key in (tmp_path / "key", tmp_path / "absent"):
        with pytest.raises(UsageError):
            sign(b"x", key)
    with pytest.raises(UsageError, match="no file of allowed signers"):
        check_signature(b"x", b"x", tmp_path / "absent")


def test_signing_leaves_nothing_behind(keys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sign(b"x", keys / "mine")
    assert not list(tmp_path.iterdir())
