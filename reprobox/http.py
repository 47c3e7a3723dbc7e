"""HTTP the way this machine does it: its trust store, proxies and credentials."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from reprobox.errors import FetchError, UsageError
from reprobox.urls import is_usable_url

if TYPE_CHECKING:
    from urllib3 import PoolManager, ProxyManager

_AGENT = "reprobox"


@dataclass(frozen=True)
class Credential:
    """A name and password for one server."""

    host: str
    """``host`` or ``host:port``, lower case."""
    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class HttpConfig:
    """What a request needs beyond its URL; proxies and ``.netrc`` of the environment apply besides."""

    ca_file: str = ""
    """A bundle of certificates, or a folder of them, trusted besides the system's."""
    client_cert: str = ""
    """A PEM file with a certificate and its key."""
    proxy: str = field(default="", repr=False)
    """A proxy for everything; empty: the environment's."""
    trusted_hosts: tuple[str, ...] = ()
    """``host`` or ``host:port`` whose certificate is not checked, because the user said so."""
    credentials: tuple[Credential, ...] = ()
    timeout: float = 30.0
    """Seconds without a byte before a request is given up."""


def open_session(config: HttpConfig) -> requests.Session:
    """Make a session that trusts, proxies and authenticates as ``config`` says; safe to share between threads.

    Raises FetchError when a certificate file cannot be read.
    """
    session = requests.Session()
    session.headers.update({"User-Agent": _AGENT, "Accept-Encoding": "identity"})
    session.mount("https://", _TrustAdapter(_make_context(config)))
    for host in config.trusted_hosts:
        # Not the bare host: that prefix would cover host.example.evil.example as well.
        for end in ("/",) if ":" in host else ("/", ":"):
            session.mount(f"https://{host.lower()}{end}", _TrustAdapter(_make_unchecked_context()))
    if config.trusted_hosts:  # the user said so: a warning at each request helps nobody
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if config.proxy:
        session.proxies = {"http": config.proxy, "https": config.proxy}
    return session


def check_urls(urls: Iterable[str], setting: str) -> None:
    """Raise UsageError, which names ``setting`` and shows no password, for a URL that nobody could be asked at."""
    if not all(map(is_usable_url, urls)):
        raise UsageError(f"{setting}: no server can be at the host or port of a URL there", hint="correct it there")


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """Part ``url`` from the name and password in it; raises what requests raises for one that is none."""
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise requests.exceptions.InvalidURL("its host cannot be one") from exc
    if "@" not in parts.netloc:
        return url, None
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def read_credentials(urls: Iterable[str]) -> tuple[Credential, ...]:
    """Collect the names and passwords in ``urls``, by server."""
    found = []
    for url in urls:
        bare, login = split_credentials(url)
        if login:
            found.append(Credential(urlsplit(bare).netloc.lower(), *login))
    return tuple(found)


def hide_secrets(url: str) -> str:
    """Return ``url`` without a password, a token in the query, or a fragment: fit to be printed."""
    try:
        parts = urlsplit(split_credentials(url)[0])
    except ValueError:
        return "a URL whose host cannot be one"
    return urlunsplit(parts._replace(query="", fragment=""))


def find_auth(url: str, config: HttpConfig) -> tuple[str, tuple[str, str] | None]:
    """Return ``url`` without credentials, and those to send: its own, else the ones known for its host."""
    bare, own = split_credentials(url)
    if own:
        return bare, own
    host = urlsplit(bare).netloc.lower()
    match = next((c for c in config.credentials if c.host in (host, host.rpartition(":")[0])), None)
    return bare, (match.user, match.password) if match else None


def add_credentials(url: str, config: HttpConfig) -> str:
    """Write the credentials known for its host into ``url``, for a program that takes them no other way."""
    bare, auth = find_auth(url, config)
    if auth is None:
        return bare
    parts = urlsplit(bare)
    return urlunsplit(parts._replace(netloc=f"{quote(auth[0], safe='')}:{quote(auth[1], safe='')}@{parts.netloc}"))


def open_url(
    session: requests.Session, url: str, config: HttpConfig, *, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """Ask for ``url`` and return the answer with its body unread, whatever its status."""
    bare, auth = find_auth(url, config)
    return session.get(bare, auth=auth, headers=dict(headers or {}), stream=True, timeout=config.timeout)


def ask_size(session: requests.Session, url: str, config: HttpConfig) -> int:
    """Ask how long the body at ``url`` is, without fetching it; raises FetchError when nobody says."""
    bare, auth = find_auth(url, config)
    try:
        answer = session.head(bare, auth=auth, timeout=config.timeout, allow_redirects=True)
        if not answer.ok or "Content-Length" not in answer.headers:
            with open_url(session, url, config) as answer:
                answer.raise_for_status()
                return int(answer.headers["Content-Length"])
        return int(answer.headers["Content-Length"])
    except (requests.RequestException, KeyError, ValueError) as exc:
        raise FetchError(f"{hide_secrets(url)}: its size could not be had: {describe_failure(exc)}") from exc


def describe_failure(exc: Exception) -> str:
    """Say in a few words why a request failed; never shows a URL's credentials."""
    match exc:
        case requests.exceptions.SSLError():
            return "its certificate is not trusted by this machine (set SSL_CERT_FILE to your CA bundle)"
        case requests.exceptions.ProxyError():
            return "the proxy did not let it through"
        case requests.Timeout():
            return "no answer in time"
        case requests.HTTPError() if exc.response is not None:
            return f"the server answered {exc.response.status_code} {exc.response.reason}"
        case urllib3.exceptions.HTTPError():
            return "the connection broke off"
        case requests.ConnectionError():
            return "no connection could be made"
    return f"the server's answer could not be used ({type(exc).__name__})"


class _TrustAdapter(HTTPAdapter):
    """Connects with one given TLS context instead of the bundle that requests brings."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: object) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: object) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: object = None
    ) -> Any:  # noqa: ANN401 - requests has no public name for these types
        # requests would name its own context or bundle here, which wins over the pool's.
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self._context}

    def cert_verify(self, conn: PoolManager, url: str, verify: bool | str, cert: object) -> None:
        """Leave the connection as it is: its context already knows whom to trust."""


def _make_context(config: HttpConfig) -> ssl.SSLContext:
    import truststore  # late: only a download needs it

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.ca_file:
        with _certificate_told(config.ca_file, "SSL_CERT_FILE, PIP_CERT, REQUESTS_CA_BUNDLE"):
            if Path(config.ca_file).is_dir():
                context.load_verify_locations(capath=config.ca_file)
            else:
                context.load_verify_locations(cafile=config.ca_file)
    if config.client_cert:
        with _certificate_told(config.client_cert, "SSL_CLIENT_CERT, PIP_CLIENT_CERT"):
            context.load_cert_chain(config.client_cert)
    return context


@contextmanager
def _certificate_told(path: str, settings: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ssl.SSLError) as exc:
        raise FetchError(
            f"{path}: not a readable certificate file: {exc}",
            hint=f"it is named by {settings} or pip's configuration; correct it there",
        ) from exc


def _make_unchecked_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
