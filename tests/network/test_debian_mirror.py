"""The real Debian archive: signatures, and what a base is made of today."""

import os
import shutil
import time
from pathlib import Path

import pytest

from reprobox.blobs import BlobStore
from reprobox.errors import FetchError, LockError
from reprobox.http import HttpConfig
from reprobox.layers.store import LayerStore
from reprobox.resolve.base import BaseRequest, choose_mirror, choose_release, resolve_base
from reprobox.resolve.deb_archive import verify_release
from reprobox.resolve.deb_closure import UnknownPackages
from reprobox.resolve.deb_downloads import MirrorDownloads, fetch_packages
from reprobox.resolve.deb_releases import read_debian_facts
from reprobox.spec.model import Base
from reprobox.steps.debian import make_unpacked_layer

pytestmark = pytest.mark.network
_KEYRING = Path(read_debian_facts().keyring)
needs_keys = pytest.mark.skipif(
    not _KEYRING.is_file() or shutil.which("gpgv") is None, reason="this machine has no gpgv or no Debian keys"
)


@pytest.fixture(scope="module")
def mirror():
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return choose_mirror(os.environ.get("REPROBOX_DEBIAN_MIRROR"), Path("/etc/apt"), now)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return BlobStore(tmp_path_factory.mktemp("blobs"))


def resolve(mirror, blobs, python="3.11", system=(), warnings=None):
    request = BaseRequest(python, Base(), system, Path(), mirror)
    warn = (warnings if warnings is not None else []).append
    return resolve_base(request, MirrorDownloads(blobs, HttpConfig()), None, None, warn)


@pytest.mark.parametrize("python", ["3.9", "3.11", "3.13"])
def test_every_release_resolves_to_a_base_with_its_python(mirror, blobs, python):
    found = resolve(mirror, blobs, python)
    names = {package.name for package in found.base.packages}
    assert found.python.version.startswith(f"{python}.")
    assert {"bash", "dpkg", "libc6", "libstdc++6", "libgomp1", "ca-certificates", f"python{python}"} <= names
    assert not names & {"apt", "systemd", "perl", "usrmerge", "gawk"}
    assert len(names) < 110
    assert sum(package.size for package in found.base.packages) < 60e6


@needs_keys
def test_the_real_signatures_are_good_and_warn_of_nothing(mirror, blobs):
    warnings = []
    resolve(mirror, blobs, warnings=warnings)
    assert warnings == []


@needs_keys
def test_a_changed_release_file_is_refused(mirror, blobs):
    url = mirror.url("debian", "dists/bookworm/InRelease")
    text = MirrorDownloads(blobs, HttpConfig()).read(url).decode()
    assert verify_release(text, url, _KEYRING, print).startswith("Origin: Debian")
    with pytest.raises(LockError, match="no good signature"):
        verify_release(text.replace("Origin: Debian", "Origin: Nobody", 1), url, _KEYRING, print)


@needs_keys
def test_a_release_file_signed_by_nobody_known_is_refused(mirror, blobs, tmp_path):
    url = mirror.url("debian", "dists/bookworm/InRelease")
    text = MirrorDownloads(blobs, HttpConfig()).read(url).decode()
    (tmp_path / "empty.gpg").write_bytes(b"")
    with pytest.raises(LockError, match="no good signature"):
        verify_release(text, url, tmp_path / "empty.gpg", print)


def test_system_packages_come_without_what_the_base_has(mirror, blobs):
    found = resolve(mirror, blobs, system=("libgl1", "libglib2.0-0"))
    have = {package.name for package in found.base.packages}
    names = {package.name for package in found.system}
    assert {"libgl1", "libglib2.0-0", "libx11-6"} <= names
    assert not names & have


def test_a_package_debian_does_not_have_is_named_with_one_like_it(mirror, blobs):
    with pytest.raises(UnknownPackages, match="'libgl'; did you mean 'libgl1'"):
        resolve(mirror, blobs, system=("libgl",))


def test_a_package_that_is_nowhere_says_which_and_how_to_lock_again(mirror, blobs):
    package = resolve(mirror, blobs).base.packages[0]
    gone = package.__class__(**{**package.__dict__, "sha256": "0" * 64, "path": "pool/main/b/gone/gone_1_all.deb"})
    with pytest.raises(FetchError, match=f"Debian package {package.name} .*gone_1_all.deb is gone") as caught:
        fetch_packages([gone], blobs, mirror=mirror, snapshot="", http=HttpConfig())
    assert "reprobox lock --upgrade" in caught.value.hint


def test_the_unpacked_base_is_a_function_of_the_packages(mirror, blobs, tmp_path):
    base = resolve(mirror, blobs).base
    files = fetch_packages(base.packages, blobs, mirror=mirror, snapshot=base.snapshot, http=HttpConfig())
    debs = [(package, files[package.sha256]) for package in base.packages]
    one = make_unpacked_layer(base, debs, LayerStore(tmp_path / "one"))
    other = make_unpacked_layer(base, debs[::-1], LayerStore(tmp_path / "other"))
    assert one.diff_id == other.diff_id
    assert choose_release("3.11", base.suite).number == "12"
