"""Where this machine gets Python packages from: pip's and uv's own configuration, read as one.

uv reads its own files and variables itself; what it cannot read is pip's. Where both say something about the same
single setting (the default index, the proxy, the certificates, the time limit) uv's wins; indexes, find-links folders
and trusted hosts of both are added together, uv's first. Extra indexes from pip mean what they mean to pip: all indexes
are equal and the best version wins, unless uv's own ``index-strategy`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reprobox.http import HttpConfig, check_urls, read_credentials
from reprobox.resolve.pip_settings import read_pip_settings
from reprobox.resolve.uv_settings import UvSettings, read_uv_settings
from reprobox.uv import PythonConfig, strip_index_name

__all__ = ["PythonConfig", "read_python_config"]

_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def read_python_config(
    environ: Mapping[str, str], home: Path, project: Path | None = None, *, etc: Path = Path("/etc")
) -> PythonConfig:
    """Read pip's and uv's configuration; ``project`` is where uv looks for the project's own, ``etc`` the machine's.

    A file that cannot be read counts as absent, as it does for pip. Raises UsageError for a URL that cannot be one.
    """
    pip, uv = read_pip_settings(environ, home, etc), read_uv_settings(environ, home, project, etc)
    for key in ("index-url", "extra-index-url", "find-links", "proxy"):
        check_urls(_split(pip.get(key)), f"{key} of pip's configuration, or PIP_{key.upper().replace('-', '_')}")
    extra = _split(pip.get("extra-index-url"))
    indexes = (*uv.env_indexes, *extra)
    links = (*uv.env_links, *(_expand(link, home) for link in _split(pip.get("find-links"))))
    default = "" if uv.default_index else pip.get("index-url", "")
    trusted = _split(pip.get("trusted-host"))
    ca_file = next((environ[name] for name in _CA_VARIABLES if environ.get(name)), pip.get("cert", ""))
    known = (pip.get("index-url", ""), *uv.urls, *indexes, *links)
    return PythonConfig(
        default_index=default,
        indexes=indexes,
        links=links,
        no_index=_is_true(pip.get("no-index", "")) and not uv.default_index,
        best_match=bool(extra) and not uv.strategy,
        env=tuple(sorted(_make_env(environ, pip, uv, ca_file, trusted).items())),
        http=HttpConfig(
            ca_file=ca_file,
            client_cert=environ.get("SSL_CLIENT_CERT") or pip.get("client-cert", ""),
            proxy="" if _has_proxy(environ, uv) else pip.get("proxy", ""),
            trusted_hosts=(*uv.insecure_hosts, *trusted),
            credentials=(*uv.credentials, *read_credentials(strip_index_name(url) for url in known)),
            timeout=_read_timeout(environ, pip),
        ),
    )


def _make_env(
    environ: Mapping[str, str], pip: Mapping[str, str], uv: UvSettings, ca_file: str, trusted: tuple[str, ...]
) -> dict[str, str]:
    env = {}
    if not environ.get("UV_NATIVE_TLS"):
        env["UV_SYSTEM_CERTS"] = environ.get("UV_SYSTEM_CERTS") or "1"
    if ca_file:
        env["SSL_CERT_FILE" if Path(ca_file).is_file() or not Path(ca_file).exists() else "SSL_CERT_DIR"] = ca_file
    if pip.get("client-cert") and not environ.get("SSL_CLIENT_CERT"):
        env["SSL_CLIENT_CERT"] = pip["client-cert"]
    if pip.get("proxy") and not _has_proxy(environ, uv):
        env |= {"HTTPS_PROXY": pip["proxy"], "HTTP_PROXY": pip["proxy"]}
    if trusted:
        env["UV_INSECURE_HOST"] = " ".join((*uv.env_insecure_hosts, *trusted))
    if "UV_HTTP_TIMEOUT" not in environ and _is_number(pip.get("timeout", "")):
        env["UV_HTTP_TIMEOUT"] = str(round(float(pip["timeout"])))
    return env


def _has_proxy(environ: Mapping[str, str], uv: UvSettings) -> bool:
    return uv.proxy or any(environ.get(name) for name in _PROXY_VARIABLES)


def _read_timeout(environ: Mapping[str, str], pip: Mapping[str, str]) -> float:
    found = (environ.get("UV_HTTP_TIMEOUT", ""), pip.get("timeout", ""))
    return next((float(text) for text in found if _is_number(text)), 30.0)


def _expand(link: str, home: Path) -> str:
    return str(home / link[2:]) if link.startswith("~/") else link


def _split(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").split())


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on", "t", "y")


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
