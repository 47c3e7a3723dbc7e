"""Bring one file from one server or folder into the blob store: resumed, tried again, checked."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from reprobox.blobs import BlobStore, WrongHash
from reprobox.errors import FetchError
from reprobox.http import HttpConfig, describe_failure, hide_secrets, open_url

_ATTEMPTS = 5
_FIRST_PAUSE = 0.5
_CHUNK = 1 << 20
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


class Fetcher:
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
        """Return the file, from the first of its URLs that has it; raises Vanished when all say it is gone."""
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
