"""Bring locked files into the blob store: several at once, resumed, checked against their hashes."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from reprobox.blobs import BlobStore, WrongHash
from reprobox.errors import FetchError
from reprobox.http import HttpConfig, describe_failure, hide_secrets, open_session, open_url, read_credentials
from reprobox.lock import PythonTarget, Wheel
from reprobox.uv import PythonConfig

_ATTEMPTS = 5
_FIRST_PAUSE = 0.5
_CHUNK = 1 << 20
_WORKERS = 4
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_NETWORK_TROUBLE = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)


class Progress(Protocol):
    """Told how far each file is; called from any thread, one call at a time."""

    def __call__(self, name: str, done: int, total: int) -> None:
        """Of the file called ``name``, ``done`` bytes of ``total`` are here."""


class Vanished(FetchError):
    """Every place that was asked answered that it has no such file."""


@dataclass(frozen=True)
class Download:
    """One file to have: ``urls`` are tried in order, the first good one wins."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int


def fetch_url(
    urls: Sequence[str],
    sha256: str,
    size: int,
    store: BlobStore,
    *,
    name: str = "",
    http: HttpConfig | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the file with this hash, from the store or from the first of ``urls`` that has it.

    Raises Vanished when every URL says it is gone, FetchError for everything else.
    """
    name = name or urlsplit(urls[0]).path.rpartition("/")[2]
    return fetch_files([Download(name, tuple(urls), sha256, size)], store, http=http, progress=progress)[sha256]


def fetch_files(
    downloads: Sequence[Download],
    store: BlobStore,
    *,
    http: HttpConfig | None = None,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Return sha256 -> file for all of ``downloads``, at most four coming at a time.

    After the first failure the others stop where they are (and are resumed the next time).
    """
    found = {item.sha256: path for item in downloads if (path := store.find(item.sha256))}
    missing = {item.sha256: item for item in downloads if item.sha256 not in found}
    if not missing:
        return found
    store.check_space(_count_missing(store, missing.values()), f"{len(missing)} downloads")
    config = http or HttpConfig()
    stop = threading.Event()
    with open_session(config) as session:
        fetcher = _Fetcher(store, session, config, _serialize(progress), stop)
        # The largest first: it would otherwise be the one everybody waits for.
        tasks = sorted(missing.values(), key=lambda item: (-item.size, item.name))
        found.update(_run_parallel(fetcher.fetch, tasks, stop))
    return found


def fetch_wheels(
    wheels: Sequence[Wheel],
    store: BlobStore,
    config: PythonConfig,
    python: PythonTarget,
    *,
    indexes: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Return sha256 -> file for all of ``wheels``; uv is asked where they are only when one is missing.

    ``indexes`` are the spec's own: the lock names them too, but without the credentials in them.
    Raises FetchError when one is nowhere or has changed.
    """
    found = {wheel.sha256: path for wheel in wheels if (path := store.find(wheel.sha256))}
    missing = [wheel for wheel in wheels if wheel.sha256 not in found]
    if not missing:
        return found
    # Late: most builds have every wheel already, and finding places costs uv's start.
    from reprobox.wheel_places import find_places

    known = (*read_credentials(indexes), *config.http.credentials)
    config = replace(config, http=replace(config.http, credentials=known))
    places = find_places(missing, config, python)
    gone = [wheel for wheel in missing if wheel.sha256 not in places]
    if gone:
        raise _explain_gone(gone)
    downloads = [Download(wheel.filename, places[wheel.sha256], wheel.sha256, wheel.size) for wheel in missing]
    return found | fetch_files(downloads, store, http=config.http, progress=progress)


def _explain_gone(wheels: Sequence[Wheel]) -> FetchError:
    lines = "".join(f"\n  - {wheel.name} {wheel.version}: {wheel.filename} (sha256 {wheel.sha256})" for wheel in wheels)
    return FetchError(
        f"no index or find-links folder of this machine has what the lock names:{lines}",
        hint="check pip's and uv's configuration and the network; if it was withdrawn, `reprobox lock --upgrade`"
        " chooses another",
    )


def _count_missing(store: BlobStore, downloads: Iterable[Download]) -> int:
    total = 0
    for item in downloads:
        part = store.part(item.sha256)
        total += max(0, item.size - (part.stat().st_size if part.exists() else 0))
    return total


def _serialize(progress: Progress | None) -> Progress:
    lock = threading.Lock()

    def report(name: str, done: int, total: int) -> None:
        if progress:
            with lock:
                progress(name, done, total)

    return report


def _run_parallel(
    work: Callable[[Download], Path], tasks: Sequence[Download], stop: threading.Event
) -> dict[str, Path]:
    """Run ``work`` over ``tasks`` in daemon threads, so that Ctrl-C never waits for a server that stalls."""
    todo: queue.SimpleQueue[Download] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Download, Path | BaseException]] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)

    def run() -> None:
        while not stop.is_set():
            try:
                task = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((task, work(task)))
            except BaseException as exc:
                done.put((task, exc))

    for _ in range(min(_WORKERS, len(tasks))):
        threading.Thread(target=run, daemon=True).start()
    results: dict[str, Path] = {}
    try:
        for _ in tasks:
            task, result = done.get()
            if isinstance(result, BaseException):
                raise result
            results[task.sha256] = result
    finally:
        stop.set()
    return results


class _Fetcher:
    """Fetches one file at a time; shared by the threads."""

    def __init__(
        self,
        store: BlobStore,
        session: requests.Session,
        config: HttpConfig,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self._store = store
        self._session = session
        self._config = config
        self._progress = progress
        self._stop = stop

    def fetch(self, item: Download) -> Path:
        failures: list[FetchError] = []
        for url in item.urls:
            try:
                return self._fetch_from(url, item)
            except FetchError as exc:
                failures.append(exc)
        raise _join_failures(item, failures)

    def _fetch_from(self, url: str, item: Download) -> Path:
        if urlsplit(url).scheme == "file":
            return self._take_local(url, item)
        with self._store.lock(item.sha256):
            if found := self._store.find(item.sha256):  # another process was faster
                self._progress(item.name, item.size, item.size)
                return found
            resumed = self._store.part(item.sha256).exists()
            try:
                return self._download(url, item)
            except WrongHash:
                if not resumed:
                    raise
                return self._download(url, item)  # the beginning may have been damaged; it is gone now

    def _take_local(self, url: str, item: Download) -> Path:
        path = Path(unquote(urlsplit(url).path))
        if not path.is_file():
            raise Vanished(f"{path}: there is no such file")
        found = self._store.add_file(path, item.sha256)
        self._progress(item.name, item.size, item.size)
        return found

    def _download(self, url: str, item: Download) -> Path:
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                got = self._transfer(url, item)
                return self._store.finish(item.sha256, what=f"{item.name} from {hide_secrets(url)}", got=got)
            except _TryAgain as exc:
                if attempt == _ATTEMPTS:
                    raise FetchError(
                        f"{item.name}: {hide_secrets(url)}: {exc} ({attempt} attempts)",
                        hint="what has come so far is kept; run the same command again when the network is better",
                    ) from exc
            self._stop.wait(pause)
            pause *= 2
            self._check_stopped()
        raise AssertionError("the last attempt returns or raises")

    def _transfer(self, url: str, item: Download) -> str:
        """Append what is missing to the partial file and return the hash of the whole."""
        part = self._store.part(item.sha256)
        digest, have = hashlib.sha256(), 0
        if part.exists():
            have = _feed(part, digest)
            if have > item.size:
                part.unlink()
                digest, have = hashlib.sha256(), 0
        if have == item.size and part.exists():
            return digest.hexdigest()
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            with open_url(self._session, url, self._config, headers=headers) as answer:
                self._check_status(answer, url, item)
                if have and not _continues(answer, have):
                    part.unlink(missing_ok=True)
                    if answer.status_code != 200:
                        raise _TryAgain("the server sent another piece than was asked for")
                    digest, have = hashlib.sha256(), 0
                self._store.write_part(
                    item.sha256,
                    lambda out: self._copy(answer, out, digest, have, item),
                    what=item.name,
                    size=item.size - have,
                )
        except requests.exceptions.SSLError as exc:
            raise FetchError(f"{item.name}: {hide_secrets(url)}: {describe_failure(exc)}") from exc
        except _NETWORK_TROUBLE as exc:
            here = part.stat().st_size if part.exists() else 0
            raise _TryAgain(f"{describe_failure(exc)} after {here:,} of {item.size:,} bytes") from exc
        except requests.RequestException as exc:
            raise FetchError(f"{item.name}: {hide_secrets(url)}: {describe_failure(exc)}") from exc
        return digest.hexdigest()

    def _copy(self, answer: requests.Response, out: BinaryIO, digest: hashlib._Hash, have: int, item: Download) -> None:
        done, shown = have, time.monotonic()
        self._progress(item.name, done, item.size)
        for chunk in answer.raw.stream(_CHUNK, decode_content=False):
            self._check_stopped()
            out.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if done > item.size:
                break  # the hash will tell
            if time.monotonic() - shown > 0.05:
                self._progress(item.name, done, item.size)
                shown = time.monotonic()
        if done < item.size:
            raise _TryAgain(f"the server has only {done:,} of {item.size:,} bytes")
        self._progress(item.name, min(done, item.size), item.size)

    def _check_status(self, answer: requests.Response, url: str, item: Download) -> None:
        code, where = answer.status_code, hide_secrets(url)
        if code in (200, 206):
            return
        if code == 416:
            self._store.part(item.sha256).unlink(missing_ok=True)
            raise _TryAgain("the server has less of the file than is already here")
        if code in _TRANSIENT:
            raise _TryAgain(f"the server answered {code} {answer.reason}")
        if code in (404, 410):
            raise Vanished(f"{item.name}: {where} is gone ({code})")
        if code in (401, 403, 407):
            raise FetchError(
                f"{item.name}: {where}: the server wants other credentials ({code} {answer.reason})",
                hint="put them into the index's URL in pip's or uv's configuration, or into ~/.netrc",
            )
        raise FetchError(f"{item.name}: {where}: the server answered {code} {answer.reason}")

    def _check_stopped(self) -> None:
        if self._stop.is_set():
            raise FetchError("stopped because another download failed")


class _TryAgain(Exception):
    """Something that may pass."""


def _feed(part: Path, digest: hashlib._Hash) -> int:
    count = 0
    with part.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            count += len(chunk)
    return count


def _continues(answer: requests.Response, have: int) -> bool:
    return answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _join_failures(item: Download, failures: list[FetchError]) -> FetchError:
    if not failures:
        return FetchError(f"{item.name}: nobody said where it can be had")
    if len(failures) == 1:
        return failures[0]
    lines = "".join(f"\n  - {failure.message}" for failure in failures)
    kind = Vanished if all(isinstance(failure, Vanished) for failure in failures) else FetchError
    hint = next((failure.hint for failure in failures if failure.hint), None)
    return kind(f"{item.name}: none of {len(failures)} places has it:{lines}", hint=hint)
