"""Fetching locked files from servers and folders, good and bad, into the store."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from reprobox import transfer
from reprobox.blobs import BlobStore
from reprobox.errors import FetchError
from reprobox.fetch import Download, Vanished, fetch_files, fetch_url
from reprobox.http import Credential, HttpConfig

BIG = "big-1.0-py3-none-any.whl"
DATA = bytes(range(256)) * 4096 * 2  # 2 MB
SIZE = len(DATA)
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(transfer, "_FIRST_PAUSE", 0.01)


@pytest.fixture
def big(index):
    index.files[BIG] = DATA
    return index


def get(index, store, *, sha256=SHA, size=SIZE, name=BIG, **rest):
    return fetch_url([index.url(name)], sha256, size, store, **rest)


def leftovers(store):
    folder = store.root / "blobs"
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != SHA)


def test_a_file_comes_once_and_is_found_after_that(big, store):
    path = get(big, store)
    assert path.read_bytes() == DATA
    assert store.find(SHA) == path == get(big, store)
    assert big.asked_for(BIG) == [("GET", None)]
    assert leftovers(store) == [f"{SHA}.stamp"]


def test_progress_is_told_from_nothing_to_all(big, store):
    seen = []
    get(big, store, progress=lambda name, done, total: seen.append((name, done, total)))
    assert seen[0] == (BIG, 0, len(DATA))
    assert seen[-1] == (BIG, len(DATA), len(DATA))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_a_download_that_breaks_off_goes_on_where_it_stopped(big, store):
    big.habits.truncate = {BIG: [700_000, 300_000]}
    assert get(big, store).read_bytes() == DATA
    assert big.asked_for(BIG) == [("GET", None), ("GET", "bytes=700000-"), ("GET", "bytes=1000000-")]


def test_a_server_that_knows_no_ranges_starts_anew(big, store):
    big.habits.truncate = {BIG: [700_000]}
    big.habits.ranges = False
    assert get(big, store).read_bytes() == DATA
    assert len(big.asked_for(BIG)) == 2


def test_what_came_is_kept_for_the_next_time_when_the_server_stays_bad(big, store):
    big.habits.truncate = {BIG: [100_000] * 5}
    with pytest.raises(FetchError, match="500,000 of 2,097,152 bytes") as caught:
        get(big, store)
    assert "kept" in caught.value.hint
    big.requests.clear()
    assert get(big, store).read_bytes() == DATA
    assert big.asked_for(BIG) == [("GET", "bytes=500000-")]


def test_a_server_that_stumbles_is_asked_again(big, store):
    big.habits.fail = {BIG: [503, 429, 500]}
    assert get(big, store).read_bytes() == DATA


def test_a_server_that_only_stumbles_is_one_error(big, store):
    big.habits.fail = {BIG: [503] * 9}
    with pytest.raises(FetchError, match="503 Service Unavailable"):
        get(big, store)


def test_wrong_bytes_are_one_error_and_nothing_stays(big, store):
    big.habits.replace = {BIG: b"x" * len(DATA)}
    with pytest.raises(FetchError) as caught:
        get(big, store)
    text = str(caught.value)
    assert BIG in text
    assert SHA in text
    assert hashlib.sha256(b"x" * len(DATA)).hexdigest() in text
    assert store.find(SHA) is None
    assert leftovers(store) == []


def test_more_bytes_than_promised_are_refused_without_reading_them_all(big, store):
    big.files[BIG] = DATA * 40
    with pytest.raises(FetchError, match="not the one that was locked"):
        get(big, store)
    assert leftovers(store) == []


def test_a_damaged_beginning_of_an_old_download_is_thrown_away(big, store):
    store.part(SHA).write_bytes(b"junk" * 1000)
    assert get(big, store).read_bytes() == DATA
    assert big.asked_for(BIG) == [("GET", "bytes=4000-"), ("GET", None)]


def test_an_old_download_that_is_too_long_is_thrown_away(big, store):
    store.part(SHA).write_bytes(DATA + b"junk")
    assert get(big, store).read_bytes() == DATA


def test_a_download_that_was_whole_but_not_named_is_not_fetched_again(big, store):
    store.part(SHA).write_bytes(DATA)
    assert get(big, store).read_bytes() == DATA
    assert big.requests == []


def test_places_are_tried_in_order_and_what_is_gone_from_all_is_vanished(big, store):
    urls = [big.url("gone.whl"), "http://127.0.0.1:9/x", big.url(BIG)]
    assert fetch_url(urls[:1] + urls[2:], SHA, len(DATA), store).read_bytes() == DATA
    with pytest.raises(Vanished, match=r"gone\.whl"):
        fetch_url([big.url("gone.whl"), big.url("gone2.whl")], "0" * 64, 1, store)
    with pytest.raises(FetchError) as caught:
        fetch_url(urls[:2], "0" * 64, 1, store)
    assert not isinstance(caught.value, Vanished)


def test_a_flipped_byte_in_the_store_is_seen_and_fetched_again(big, store):
    path = get(big, store)
    flip_byte(path, keep_time=False)
    assert store.find(SHA) is None
    assert get(big, store).read_bytes() == DATA


def test_verify_sees_even_what_keeps_size_and_time(big, store):
    path = get(big, store)
    flip_byte(path, keep_time=True)
    assert store.find(SHA) == path
    assert not store.verify(SHA)
    assert store.find(SHA) is None


def flip_byte(path, *, keep_time):
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_file_without_a_stamp_is_hashed_and_then_trusted(big, store):
    path = get(big, store)
    stamp = path.with_suffix(".stamp")
    stamp.write_text("{nonsense")
    assert store.find(SHA) == path
    assert "mtime_ns" in stamp.read_text()


def test_a_file_of_this_machine_is_linked_in_and_a_wrong_one_left_alone(store, tmp_path):
    source = tmp_path / "own.whl"
    source.write_bytes(DATA)
    found = fetch_url([source.as_uri()], SHA, len(DATA), store)
    assert found.samefile(source)
    with pytest.raises(FetchError, match="not the one that was locked"):
        fetch_url([source.as_uri()], "0" * 64, len(DATA), store)
    assert source.read_bytes() == DATA
    with pytest.raises(Vanished):
        fetch_url([(tmp_path / "gone").as_uri()], "0" * 64, 1, store)


def test_the_first_failure_stops_the_others_and_the_next_time_they_go_on(index, store):
    files = {}
    for number in range(6):
        data = bytes([number]) * 3_000_000
        files[f"f{number}.whl"] = data
    index.files = files
    index.habits.delay = 0.1
    downloads = [Download(n, (index.url(n),), hashlib.sha256(d).hexdigest(), len(d)) for n, d in files.items()]
    bad = Download("bad.whl", (index.url("bad.whl"),), "0" * 64, 4_000_000)
    with pytest.raises(FetchError, match=r"bad\.whl"):
        fetch_files([*downloads, bad], store)
    assert not all(store.find(download.sha256) for download in downloads)
    index.habits.delay = 0
    assert len(fetch_files(downloads, store)) == 6


def test_credentials_go_to_their_own_host_only(big, store):
    big.habits.login = ("me", "s3cret")
    with pytest.raises(FetchError, match="401") as caught:
        get(big, store)
    assert "netrc" in caught.value.hint
    other = HttpConfig(credentials=(Credential("elsewhere.example", "me", "s3cret"),))
    with pytest.raises(FetchError, match="401"):
        get(big, store, http=other)
    own = HttpConfig(credentials=(Credential(big.host, "me", "s3cret"),))
    assert get(big, store, http=own).read_bytes() == DATA


def test_credentials_in_the_url_are_used_and_not_shown(big, store):
    big.habits.login = ("me", "s3cret")
    url = big.url(BIG).replace("//", "//me:s3cret@")
    assert fetch_url([url], SHA, len(DATA), store).read_bytes() == DATA
    with pytest.raises(FetchError) as caught:
        fetch_url([url.replace(BIG, "gone.whl")], "0" * 64, 1, store)
    assert "s3cret" not in str(caught.value)


def test_a_proxy_is_asked_instead_of_the_server(big, store):
    config = HttpConfig(proxy=big.root)
    with pytest.raises(FetchError):
        fetch_url(["http://files.example/other.whl"], "0" * 64, 1, store, http=config)
    assert any("files.example" in path for _, path, _ in big.requests)


def test_a_certificate_file_that_is_not_there_is_one_error(store, tmp_path):
    with pytest.raises(FetchError, match="not a readable certificate file"):
        fetch_url(["https://x.example/y"], "0" * 64, 1, store, http=HttpConfig(ca_file=str(tmp_path / "ca.pem")))


SCRIPT = """
import sys
from pathlib import Path
from reprobox.blobs import BlobStore
from reprobox.fetch import fetch_url
url, sha256, size, root = sys.argv[1:]
print(fetch_url([url], sha256, int(size), BlobStore(Path(root))))
"""


def start(index, store):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, index.url(BIG), SHA, str(len(DATA)), str(store.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_two_processes_fetch_the_same_file_once(big, store):
    big.habits.delay = 0.02
    processes = [start(big, store) for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len(big.asked_for(BIG)) == 1
    assert store.find(SHA).read_bytes() == DATA
    assert leftovers(store) == [f"{SHA}.stamp"]


def test_many_threads_fetch_the_same_file_once(big, store):
    threads = [threading.Thread(target=get, args=(big, store)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(big.asked_for(BIG)) == 1


@pytest.mark.parametrize("wait", [0.0, 0.1, 0.3])
def test_a_killed_download_goes_on_without_cleaning_up(big, store, wait):
    big.habits.delay = 0.03
    process = start(big, store)
    deadline = time.monotonic() + 30
    while not big.asked_for(BIG) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert big.asked_for(BIG)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert store.find(SHA) is None
    big.habits.delay = 0
    assert get(big, store).read_bytes() == DATA
    assert leftovers(store) == [f"{SHA}.stamp"]


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"this machine lets nobody mount a tmpfs: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def test_a_full_disk_is_seen_before_the_first_byte(big, small_disk):
    with pytest.raises(FetchError) as caught:
        get(big, BlobStore(small_disk / "cache"))
    assert "2.1 MB are needed" in caught.value.message
    assert str(small_disk) in caught.value.message
    assert big.requests == []


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_behind(big, small_disk, monkeypatch):
    store = BlobStore(small_disk / "cache")
    monkeypatch.setattr(BlobStore, "check_space", lambda *args: None)
    with pytest.raises(FetchError) as caught:
        get(big, store)
    assert "2.1 MB are needed" in caught.value.message
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_local_file_too_big_for_the_disk_is_the_same_error(small_disk, tmp_path):
    source = tmp_path / "own.whl"
    source.write_bytes(DATA)
    store = BlobStore(small_disk / "cache")
    with pytest.raises(FetchError, match="are needed"):
        store.add_file(source, SHA)
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_cache_that_cannot_be_written_is_one_error(big, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(FetchError, match="cache"):
        get(big, BlobStore(tmp_path / "cache"))
