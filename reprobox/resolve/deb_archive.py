"""Read the package lists of a Debian release from a mirror: signed Release files, lists by their hash."""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol

from reprobox.errors import LockError
from reprobox.process import run_program
from reprobox.resolve.deb_index import PackageIndex
from reprobox.resolve.deb_mirror import DebianMirror

_LARGEST_LIST = 1 << 30
"""Bytes a package list may unpack to; Debian's largest is 60 MB."""


class Downloads(Protocol):
    """How files are had; the download cache offers it."""

    def read(self, url: str) -> bytes:
        """Return what is at ``url`` now; raise ``FetchError`` naming the address."""

    def fetch(self, urls: Sequence[str], sha256: str, size: int) -> Path:
        """Return a file with that hash, from the cache or the first address that has it; raise ``FetchError``."""


@dataclass(frozen=True)
class ArchiveState:
    """A release as its mirror had it."""

    index: PackageIndex
    snapshot: str
    """A time (``YYYYmmddTHHMMSSZ``) at which the snapshot archive has all of it."""


@dataclass(frozen=True)
class _Part:
    archive: str
    dist: str
    codename: str


def read_archive(
    mirror: DebianMirror,
    suite: str,
    architecture: str,
    *,
    downloads: Downloads,
    keyring: Path | None,
    on_warning: Callable[[str], None],
) -> ArchiveState:
    """Read a release with its updates and security updates (component main).

    Raises ``LockError`` when a signature is bad or a Release file is not the one asked for, ``FetchError``
    when something cannot be had. Without ``gpgv`` or a keyring it warns, and trusts the mirror.
    """
    index = PackageIndex()
    dates = []
    for part in (
        _Part("debian", suite, suite),
        _Part("debian", f"{suite}-updates", f"{suite}-updates"),
        _Part("debian-security", f"{suite}-security", f"{suite}-security"),
    ):
        address = mirror.url(part.archive, f"dists/{part.dist}")
        release = _read_release(f"{address}/InRelease", part, downloads, keyring, on_warning)
        dates.append(release.date)
        packages = _fetch_list(address, release, f"main/binary-{architecture}/Packages.xz", downloads)
        index.add(packages, part.archive)
    return ArchiveState(index, _snapshot_time(max(dates)))


def _snapshot_time(newest: datetime) -> str:
    """The end of the next day: the snapshot archive takes some hours to have what a mirror publishes, and
    answers with the last state before the time it is asked for, while replaced files stay for days."""
    day = newest.toordinal() + 1
    return f"{datetime.fromordinal(day):%Y%m%d}T235959Z"


@dataclass(frozen=True)
class _Release:
    date: datetime
    files: dict[str, tuple[str, int]]
    by_hash: bool


def _read_release(
    url: str, part: _Part, downloads: Downloads, keyring: Path | None, on_warning: Callable[[str], None]
) -> _Release:
    text = downloads.read(url).decode("utf-8", "replace")
    signed = verify_release(text, url, keyring, on_warning)
    fields = dict(re.findall(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", signed, re.MULTILINE))
    if fields.get("Codename") != part.codename:
        raise LockError(f"{url} is of {fields.get('Codename', 'no release')!r}, not of {part.codename!r}")
    try:
        date = parsedate_to_datetime(fields["Date"]).astimezone(UTC)
    except (KeyError, ValueError) as exc:
        raise LockError(f"{url} has no readable date") from exc
    return _Release(date, _parse_hashes(signed), fields.get("Acquire-By-Hash") == "yes")


def _parse_hashes(text: str) -> dict[str, tuple[str, int]]:
    section = re.search(r"^SHA256:[ \t]*\n((?:[ \t].*\n?)*)", text, re.MULTILINE)
    lines = (line.split() for line in (section[1] if section else "").splitlines())
    return {words[2]: (words[0], int(words[1])) for words in lines if len(words) == 3 and words[1].isdigit()}


def _fetch_list(address: str, release: _Release, name: str, downloads: Downloads) -> bytes:
    found = release.files.get(name)
    if found is None or not re.fullmatch(r"[0-9a-f]{64}", found[0]):
        raise LockError(f"{address}/InRelease does not list {name}", hint="is that architecture part of the release?")
    sha256, size = found
    urls = [f"{address}/{name}"]
    if release.by_hash:
        urls.insert(0, f"{address}/{name.rpartition('/')[0]}/by-hash/SHA256/{sha256}")
    packed = downloads.fetch(urls, sha256, size)
    try:
        unpacked = lzma.LZMADecompressor().decompress(packed.read_bytes(), _LARGEST_LIST)
    except lzma.LZMAError as exc:
        raise LockError(f"{address}/{name} is damaged: {exc}") from exc
    return unpacked


def verify_release(text: str, url: str, keyring: Path | None, on_warning: Callable[[str], None]) -> str:
    """Return the part of a clear-signed Release file that the signature covers.

    Raises ``LockError`` for a bad signature, and where no key that is known made one.
    """
    body = _strip_signature(text, url)
    if keyring is None or not keyring.is_file():
        on_warning(
            f"{url}: not checked against Debian's keys, which this machine lacks (package debian-archive-keyring)"
        )
        return body
    argv = ("gpgv", "--keyring", str(keyring), "--status-fd", "2", "--output", "-")
    try:
        done = run_program(argv, timeout=60, stdin=text)
    except FileNotFoundError:
        on_warning(f"{url}: not checked, since this machine has no gpgv program")
        return body
    status = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("[GNUPG:] ")]
    if "BADSIG" in status or "VALIDSIG" not in status:
        raise LockError(
            f"{url}: no good signature by a key in {keyring}",
            hint="is the mirror what you think it is, and the package debian-archive-keyring up to date?",
        )
    return done.stdout


def _strip_signature(text: str, url: str) -> str:
    match = re.search(
        r"\A-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[^\n]+\n)*\r?\n(.*?)^-----BEGIN PGP SIGNATURE-----$",
        text,
        re.MULTILINE | re.DOTALL,
    )
    if match is None:
        raise LockError(f"{url} is no signed Release file", hint="is the mirror's address right?")
    return re.sub(r"^- ", "", match[1], flags=re.MULTILINE)
