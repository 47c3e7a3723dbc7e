"""Have Debian's files through the download cache: lists when resolving, packages when building."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from reprobox.blobs import BlobStore
from reprobox.errors import FetchError
from reprobox.fetch import Download, Progress, Vanished, fetch_files, fetch_url
from reprobox.http import HttpConfig, describe_failure, hide_secrets, open_session, open_url
from reprobox.lock import DebPackage
from reprobox.resolve.deb_mirror import DebianMirror, package_urls

_LARGEST_RELEASE = 16 << 20


class MirrorDownloads:
    """Reads a mirror, keeping in the download cache what is named by its hash."""

    def __init__(self, store: BlobStore, http: HttpConfig, progress: Progress | None = None) -> None:
        self._store = store
        self._http = http
        self._progress = progress

    def read(self, url: str) -> bytes:
        """Return what is at ``url`` now; raise ``FetchError`` naming the address."""
        if urlsplit(url).scheme == "file":
            return _read_local(Path(unquote(urlsplit(url).path)))
        try:
            with open_session(self._http) as session, open_url(session, url, self._http) as answer:
                answer.raise_for_status()
                return answer.raw.read(_LARGEST_RELEASE, decode_content=True)
        except requests.RequestException as exc:
            raise FetchError(
                f"{hide_secrets(url)}: {describe_failure(exc)}",
                hint="is the machine online, and the Debian mirror the right one? REPROBOX_DEBIAN_MIRROR names another",
            ) from exc

    def fetch(self, urls: Sequence[str], sha256: str, size: int) -> Path:
        """Return a file with that hash, from the cache or the first address that has it."""
        name = f"Debian {urlsplit(urls[-1]).path.partition('/dists/')[2]}"
        return fetch_url(urls, sha256, size, self._store, name=name, http=self._http, progress=self._progress)


def fetch_packages(
    packages: Iterable[DebPackage],
    store: BlobStore,
    *,
    mirror: DebianMirror | None,
    snapshot: str,
    http: HttpConfig,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Return sha256 -> file of locked packages: from the cache, the mirror, or Debian's snapshot archive.

    Raises ``FetchError`` that says which package is nowhere any more, and how to lock again.
    """
    downloads = [
        Download(f"{one.name} {one.version}", package_urls(one, mirror, snapshot), one.sha256, one.size)
        for one in packages
    ]
    try:
        return fetch_files(downloads, store, http=http, progress=progress)
    except FetchError as exc:
        again = "run `reprobox lock --upgrade` to lock the versions that the archive has now"
        hint = again if isinstance(exc, Vanished) else f"{exc.hint or 'try again'}; if it is gone for good, {again}"
        raise type(exc)(f"Debian package {exc.message}", hint=hint) from exc


def _read_local(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise FetchError(f"{path}: {exc.strerror}", hint="is the Debian mirror the right one?") from exc
