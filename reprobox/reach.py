"""Try the servers that a build would ask: whether they answer, and in what mood; nothing is fetched."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from reprobox.errors import ReproboxError
from reprobox.findings import Finding, Status
from reprobox.http import HttpConfig, describe_failure, hide_secrets, open_session, open_url
from reprobox.resolve.base import choose_mirror
from reprobox.resolve.python_config import read_python_config
from reprobox.settings import Settings
from reprobox.supply import ETC_APT, MIRROR_VARIABLE
from reprobox.uv import list_indexes

_LIMIT = 2.0
"""Seconds for each; all are tried at the same time."""
_WANT_CREDENTIALS = (401, 407)
_HINT = "what is locked and downloaded is built without it; see the network, the proxy and the certificates"


@dataclass(frozen=True)
class Place:
    """A server or folder to try."""

    name: str
    url: str
    below: str
    """What to ask for there: something small that is likely to be there."""


def try_places(settings: Settings, project: Path) -> tuple[Finding, ...]:
    """Return one finding for each package index and for the Debian mirror; none of them fails for want of an answer."""
    places, findings, http = [], [], HttpConfig()
    try:
        python = read_python_config(settings.environ, settings.home, project)
        http = python.http
        places += [Place("package index", url, "pip/") for url in list_indexes(python)]
    except ReproboxError as exc:
        findings.append(Finding("package index", Status.WARNING, exc.message, exc.hint or ""))
    try:
        now = settings.now().strftime("%Y%m%dT%H%M%SZ")
        mirror = choose_mirror(settings.environ.get(MIRROR_VARIABLE), ETC_APT, now)
        places.append(Place("Debian mirror", mirror.main, "dists/"))
    except ReproboxError as exc:
        findings.append(Finding("Debian mirror", Status.FAILED, exc.message, exc.hint or ""))
    return (*_try_all(places, http), *findings)


def _try_all(places: Iterable[Place], http: HttpConfig) -> list[Finding]:
    """Try all at once, in daemon threads: looking up a name has no time limit of its own."""
    found: dict[Place, Finding] = {}
    limited = replace(http, timeout=_LIMIT)

    def try_one(place: Place) -> None:
        found[place] = _try_place(place, limited)

    threads = {place: threading.Thread(target=try_one, args=(place,), daemon=True) for place in places}
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(timeout=_LIMIT + 0.5)
    return [found.get(place) or _warn(place, "no answer in time") for place in threads]


def _try_place(place: Place, http: HttpConfig) -> Finding:
    parts = urlsplit(place.url)
    if parts.scheme == "file":
        there = Path(unquote(parts.path)).is_dir()
        return _approve(place, "is there") if there else _warn(place, "there is no such folder")
    try:
        with open_session(http) as session, open_url(session, f"{place.url.rstrip('/')}/{place.below}", http) as answer:
            return _judge(place, answer)
    except (requests.RequestException, ValueError) as exc:
        return _warn(place, describe_failure(exc))
    except ReproboxError as exc:
        return _warn(place, exc.message)


def _judge(place: Place, answer: requests.Response) -> Finding:
    if answer.status_code in _WANT_CREDENTIALS:
        return _warn(place, f"wants other credentials ({answer.status_code})")
    if answer.status_code >= 500:
        return _warn(place, f"the server answered {answer.status_code} {answer.reason}")
    return _approve(place, "answers")  # many show no folder, and some have no pip: that is an answer too


def _approve(place: Place, what: str) -> Finding:
    return Finding(place.name, Status.OK, f"{hide_secrets(place.url)} {what}")


def _warn(place: Place, what: str) -> Finding:
    return Finding(place.name, Status.WARNING, f"{hide_secrets(place.url)}: {what}", _HINT)
