"""One file of each resolved package: chosen by the image's tags, with its hash, size and index."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from packaging.utils import canonicalize_name

from reprobox.blobs import hash_file
from reprobox.errors import FetchError, LockError
from reprobox.http import (
    HttpConfig,
    ask_size,
    describe_failure,
    hide_secrets,
    open_session,
    open_url,
    split_credentials,
)
from reprobox.lock import PythonTarget, Wheel
from reprobox.lock_fields import CHECKS, check_wheel
from reprobox.simple_index import read_offers
from reprobox.uv import Resolved, WheelFile
from reprobox.wheel_tags import choose_wheel

_WORKERS = 8


class Pinner:
    """Turns resolved packages into locked wheels, asking servers only for what neither uv nor the old lock says."""

    def __init__(
        self,
        *,
        target: PythonTarget,
        architecture: str,
        kept: Sequence[Wheel],
        known: Sequence[Wheel],
        own_indexes: Sequence[str],
        http: HttpConfig,
    ) -> None:
        self._target = target
        self._architecture = architecture
        self._kept = {(wheel.filename, wheel.sha256) for wheel in kept}
        self._known = {(wheel.filename, wheel.sha256): wheel for wheel in known}
        self._own_indexes = own_indexes
        self._http = http

    def pin_all(self, packages: Sequence[Resolved]) -> tuple[Wheel, ...]:
        """Pin every package; raises LockError when one has no wheel for the image."""
        with open_session(self._http) as session, ThreadPoolExecutor(_WORKERS) as pool:
            return tuple(sorted(pool.map(lambda package: self._pin(package, session), packages)))

    def _pin(self, package: Resolved, session: requests.Session) -> Wheel:
        file = self._choose(package)
        sha256 = file.sha256 or hash_offered(file, session, self._http)
        known = self._known.get((file.filename, sha256))
        wheel = Wheel(
            name=canonicalize_name(package.name),
            version=package.version,
            filename=file.filename,
            sha256=sha256,
            size=known.size if known else file.size or measure_offered(file, session, self._http),
            index=self._find_index(package.name, file, sha256, session),
        )
        if problem := CHECKS["Wheel.filename"](wheel.filename) or check_wheel(wheel):
            raise LockError(
                f"{hide_secrets(file.url)}: the index offers {wheel.filename!a}: {problem}",
                hint="tell whoever runs that index, or use another one",
            )
        return wheel

    def _choose(self, package: Resolved) -> WheelFile:
        # A better wheel that was uploaded later must not change the lock of an unchanged spec.
        for file in package.wheels:
            if (file.filename, file.sha256) in self._kept:
                return file
        chosen = choose_wheel(package.wheels, self._target, self._architecture)
        if chosen is None:
            raise LockError(
                f"{package.name} {package.version}: no wheel fits Python {self._target.short}"
                f" with glibc {self._target.glibc} on {self._architecture}",
                hint="choose another version of it, or another base",
                about=package.name,
            )
        return chosen

    def _find_index(self, name: str, file: WheelFile, sha256: str, session: requests.Session) -> str:
        """Say which of the spec's own indexes has the file; none when it came from this machine's."""
        for url in self._own_indexes:
            try:
                offered = read_offers(session, url, name, self._http)
            except FetchError:
                continue  # it could not be reached, and that was already a warning
            if any(offer.filename == file.filename and offer.sha256 in (None, sha256) for offer in offered):
                return split_credentials(url)[0]
        return ""


def measure_offered(file: WheelFile, session: requests.Session, http: HttpConfig) -> int:
    """Return the size of a file whose index does not say it."""
    if path := _find_local(file.url):
        return path.stat().st_size
    try:
        return ask_size(session, file.url, http)
    except FetchError as exc:
        raise LockError(exc.message, hint=exc.hint) from exc


def hash_offered(file: WheelFile, session: requests.Session, http: HttpConfig) -> str:
    """Download a file only to hash it: its index publishes no hashes."""
    if path := _find_local(file.url):
        return hash_file(path)
    digest = hashlib.sha256()
    try:
        with open_url(session, file.url, http) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_content(1 << 20):
                digest.update(chunk)
    except requests.RequestException as exc:
        raise LockError(f"{hide_secrets(file.url)}: {describe_failure(exc)}") from exc
    return digest.hexdigest()


def _find_local(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
