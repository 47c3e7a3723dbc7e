"""Where source archives can be had today: on the indexes' own pages, as uv resolves wheels only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import requests
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version

from reprobox.errors import FetchError
from reprobox.http import add_credentials, open_session
from reprobox.lock import Sdist
from reprobox.simple_index import SDISTS, read_offers
from reprobox.uv import PythonConfig, WheelFile, list_indexes

Places = dict[str, tuple[str, ...]]
"""sha256 -> URLs."""


def find_archives(
    name: str, version: str, own_indexes: Sequence[str], config: PythonConfig, session: requests.Session
) -> Iterator[tuple[str, WheelFile]]:
    """Yield the archives of one release and the place that offers each: the spec's own first, ``.tar.gz`` first.

    A place that cannot be asked is passed over.
    """
    wanted = canonicalize_name(name), Version(version)
    for url in (*own_indexes, *list_places(config)):
        try:
            offers = read_offers(session, url, wanted[0], config.http, SDISTS)
        except FetchError:
            continue
        found = [offer for offer in offers if _read_name(offer.filename) == wanted]
        for offer in sorted(found, key=lambda file: (file.filename.endswith(".zip"), file.filename)):
            yield url, offer


def list_places(config: PythonConfig) -> tuple[str, ...]:
    """List every place this machine is configured to look at, in the order in which uv would."""
    return tuple(dict.fromkeys((*config.links, *list_indexes(config))))


def find_sdist_places(sdists: Sequence[Sdist], config: PythonConfig) -> Places:
    """Return where each locked archive can be had; one that is nowhere is left out."""
    with open_session(config.http) as session:
        return {sdist.sha256: urls for sdist in sdists if (urls := _find_urls(sdist, config, session))}


def _find_urls(sdist: Sdist, config: PythonConfig, session: requests.Session) -> tuple[str, ...]:
    own = (add_credentials(sdist.index, config.http),) if sdist.index else ()
    offers = find_archives(sdist.name, sdist.version, own, config, session)
    return tuple(
        offer.url for _, offer in offers if offer.filename == sdist.filename and offer.sha256 in (None, sdist.sha256)
    )


def _read_name(filename: str) -> tuple[str, Version] | None:
    try:
        return parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return None
