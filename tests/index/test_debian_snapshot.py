"""A Debian package that the mirror has no more comes from the snapshot archive as of the lock's moment."""

import functools
import hashlib
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reprobox import transfer
from reprobox.errors import FetchError
from reprobox.fetch import Vanished
from reprobox.http import HttpConfig
from reprobox.lock import DebPackage
from reprobox.resolve import deb_mirror
from reprobox.resolve.deb_downloads import fetch_packages
from reprobox.resolve.deb_mirror import DebianMirror
from reprobox.resolve.deb_releases import read_debian_facts

DATA = b"the bytes of a package" * 1000
WHEN = "20261101T000000Z"
PATH = "pool/main/h/hello/hello_2.10-3_amd64.deb"
IN_SNAPSHOT = f"archive/debian/{WHEN}/{PATH}"
PACKAGE = DebPackage("hello", "2.10-3", "amd64", hashlib.sha256(DATA).hexdigest(), len(DATA), "debian", PATH)


class Archive:
    """A folder on a server of its own, and what it was asked for."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *args):
                asked.append(self.path.lstrip("/"))

        folder.mkdir()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def put(self, path, data):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mirror(tmp_path):
    archive = Archive(tmp_path / "mirror")
    yield archive
    archive.close()


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    archive = Archive(tmp_path / "snapshot")
    facts = replace(read_debian_facts(), snapshot=archive.root)
    monkeypatch.setattr(deb_mirror, "read_debian_facts", lambda: facts)
    monkeypatch.setattr(transfer, "_FIRST_PAUSE", 0.01)
    yield archive
    archive.close()


def fetch(mirror, store, when=WHEN):
    known = DebianMirror(mirror.root, f"{mirror.root}-security")
    return fetch_packages([PACKAGE], store, mirror=known, snapshot=when, http=HttpConfig())


def test_a_mirror_that_has_it_is_the_only_one_asked(mirror, snapshot, store):
    mirror.put(PATH, DATA)
    snapshot.put(IN_SNAPSHOT, DATA)
    assert fetch(mirror, store)[PACKAGE.sha256].read_bytes() == DATA
    assert snapshot.asked == []


def test_what_the_mirror_has_dropped_comes_from_the_snapshot_archive(mirror, snapshot, store):
    snapshot.put(IN_SNAPSHOT, DATA)
    assert fetch(mirror, store)[PACKAGE.sha256].read_bytes() == DATA
    assert PATH in mirror.asked
    assert IN_SNAPSHOT in snapshot.asked


def test_what_the_mirror_has_changed_comes_from_the_snapshot_archive(mirror, snapshot, store):
    mirror.put(PATH, DATA[::-1])
    snapshot.put(IN_SNAPSHOT, DATA)
    assert fetch(mirror, store)[PACKAGE.sha256].read_bytes() == DATA


def test_a_mirror_that_is_down_leaves_the_snapshot_archive(mirror, snapshot, store):
    mirror.close()
    snapshot.put(IN_SNAPSHOT, DATA)
    assert fetch(mirror, store)[PACKAGE.sha256].read_bytes() == DATA


def test_what_nobody_has_is_gone_and_says_how_to_lock_again(mirror, snapshot, store):
    with pytest.raises(Vanished, match=r"hello 2\.10-3: none of 2 places has it") as caught:
        fetch(mirror, store)
    assert "lock --upgrade" in caught.value.hint


def test_without_a_known_moment_only_the_mirror_is_asked(mirror, snapshot, store):
    snapshot.put(IN_SNAPSHOT, DATA)
    with pytest.raises(FetchError, match="is gone"):
        fetch(mirror, store, when="")
    assert snapshot.asked == []
