"""Read a package index's own pages: the simple API as HTML or JSON, find-links pages, and folders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit

import requests

from reprobox.errors import FetchError
from reprobox.http import HttpConfig, describe_failure, hide_secrets, open_url
from reprobox.uv import WheelFile

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_LIMIT = 200_000_000
"""Bytes; a project's page is never longer."""
Endings = tuple[str, ...]
WHEELS = (".whl",)
SDISTS = (".tar.gz", ".zip")
"""How the names of files end that are looked for."""


def is_links(url: str) -> bool:
    """Whether ``url`` is a find-links place, a folder that holds packages or an HTML page, and not a simple index."""
    if url.startswith("file:") or url.startswith("/"):
        return any(_list_folder(_find_path(url), (*WHEELS, *SDISTS)))
    return urlsplit(url).path.endswith((".html", ".htm"))


def read_offers(
    session: requests.Session, url: str, name: str, http: HttpConfig, endings: Endings = WHEELS
) -> tuple[WheelFile, ...]:
    """List what a place of either kind offers of the project ``name``: its wheels, or files with other endings."""
    if is_links(url):
        return read_links(session, url, http, endings)
    return read_project(session, url, name, http, endings)


def read_project(
    session: requests.Session, index: str, name: str, http: HttpConfig, endings: Endings = WHEELS
) -> tuple[WheelFile, ...]:
    """List the files of a project on a simple index; empty when the index does not know it.

    Raises FetchError when the index cannot be asked.
    """
    return read_links(session, f"{index.rstrip('/')}/{name}/", http, endings)


def read_links(
    session: requests.Session, place: str, http: HttpConfig, endings: Endings = WHEELS
) -> tuple[WheelFile, ...]:
    """List the files a page or folder links to; ``place`` is a URL or a path."""
    if place.startswith(("http://", "https://")):
        return _read_page(session, place, http, endings)
    path = _find_path(place)
    page = path / "index.html" if path.is_dir() else path
    try:
        found = [WheelFile(file.name, file.as_uri(), None, file.stat().st_size) for file in _list_folder(path, endings)]
        html = page.read_text(encoding="utf-8") if page.is_file() else ""
    except (OSError, UnicodeDecodeError) as exc:
        raise FetchError(f"{path}: cannot be read: {exc}") from exc
    return (*sorted(found, key=lambda file: file.filename), *_parse_html(html, page.as_uri(), endings))


def _list_folder(folder: Path, endings: Endings) -> Iterator[Path]:
    return (path for path in folder.glob("*") if path.name.endswith(endings))


def _find_path(place: str) -> Path:
    return Path(unquote(urlsplit(place).path)) if place.startswith("file:") else Path(place).absolute()


def _read_page(session: requests.Session, url: str, http: HttpConfig, endings: Endings) -> tuple[WheelFile, ...]:
    try:
        with open_url(session, url, http, headers={"Accept": _ACCEPT}) as answer:
            if answer.status_code in (404, 410):
                return ()
            answer.raise_for_status()
            body = answer.raw.read(_LIMIT, decode_content=True)
            if "json" in answer.headers.get("Content-Type", ""):
                return tuple(_parse_json(json.loads(body), answer.url, endings))
            return _parse_html(body.decode("utf-8", "replace"), answer.url, endings)
    except (requests.RequestException, OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FetchError(f"{hide_secrets(url)}: {describe_failure(exc)}") from exc


def _parse_json(page: Mapping[str, Any], base: str, endings: Endings) -> Iterator[WheelFile]:
    for file in page["files"]:
        if file["filename"].endswith(endings):
            hashes = file.get("hashes") or {}
            yield WheelFile(file["filename"], urljoin(base, file["url"]), hashes.get("sha256"), file.get("size"))


def _parse_html(text: str, base: str, endings: Endings) -> tuple[WheelFile, ...]:
    parser = _Links()
    parser.feed(text)
    found = []
    for href in parser.links:
        url, fragment = urldefrag(urljoin(parser.base or base, href))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        if filename.endswith(endings):
            sha256 = parse_qs(fragment).get("sha256", [None])[0]
            found.append(WheelFile(filename, url, sha256, None))
    return tuple(found)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        elif tag == "base" and values.get("href"):
            self.base = str(values["href"])
