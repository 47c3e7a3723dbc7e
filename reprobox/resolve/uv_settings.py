"""The few of uv's settings that reprobox must know besides uv: who else to ask, and with which credentials."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reprobox.errors import UsageError
from reprobox.http import Credential, check_urls
from reprobox.uv import strip_index_name

_PROXY_KEYS = ("http-proxy", "https-proxy")
_URL_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


@dataclass(frozen=True)
class UvSettings:
    """uv's variables and files, together."""

    default_index: bool
    """Whether uv has a default index of its own choosing."""
    strategy: bool
    """Whether uv's index strategy is set."""
    proxy: bool
    env_indexes: tuple[str, ...]
    env_links: tuple[str, ...]
    env_insecure_hosts: tuple[str, ...]
    insecure_hosts: tuple[str, ...]
    urls: tuple[str, ...]
    """Every index and find-links URL of the files, and the default index's: they may hold credentials."""
    credentials: tuple[Credential, ...]


def read_uv_settings(
    environ: Mapping[str, str], home: Path, project: Path | None, etc: Path = Path("/etc")
) -> UvSettings:
    """Read uv's variables and its files; a file that cannot be read is left to uv to complain about.

    Raises UsageError for a URL that cannot be one, and where ``UV_CONFIG_FILE`` names no file.
    """
    tables = list(_read_tables(environ, home, project, etc))
    entries = [entry for table in tables for entry in _list(table, "index") if isinstance(entry, dict)]
    defaults = [environ.get("UV_DEFAULT_INDEX"), environ.get("UV_INDEX_URL")]
    defaults += [_text(table, "index-url") for table in tables]
    defaults += [_text(entry, "url") for entry in entries if entry.get("default") is True]
    lists = [_text(item) for table in tables for key in ("extra-index-url", "find-links") for item in _list(table, key)]
    hosts = tuple(_text(item) for table in tables for item in _list(table, "allow-insecure-host"))
    env_hosts = tuple(environ.get("UV_INSECURE_HOST", "").split())
    env_indexes = tuple(f"{environ.get('UV_INDEX', '')} {environ.get('UV_EXTRA_INDEX_URL', '')}".split())
    env_links = tuple(link for link in environ.get("UV_FIND_LINKS", "").split(",") if link)
    urls = tuple(url for url in (*defaults, *lists, *(_text(entry, "url") for entry in entries)) if url)
    for name in _URL_VARIABLES:
        check_urls(map(strip_index_name, re.split(r"[\s,]+", environ.get(name, ""))), name)
    check_urls(map(strip_index_name, urls), "the indexes of uv's configuration files")
    return UvSettings(
        default_index=any(defaults),
        strategy=bool(environ.get("UV_INDEX_STRATEGY")) or any("index-strategy" in table for table in tables),
        proxy=any(key in table for table in tables for key in _PROXY_KEYS),
        env_indexes=env_indexes,
        env_links=env_links,
        env_insecure_hosts=env_hosts,
        insecure_hosts=(*env_hosts, *hosts),
        urls=urls,
        credentials=_find_named_credentials(environ, entries, env_indexes),
    )


def _read_tables(environ: Mapping[str, str], home: Path, project: Path | None, etc: Path) -> Iterator[dict[str, Any]]:
    """Yield uv's settings tables, the strongest first; ``[pip]`` inside one counts as another."""
    for path in _find_files(environ, home, project, etc):
        try:
            table: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if path.name == "pyproject.toml":
            tool = table.get("tool")
            table = tool.get("uv") if isinstance(tool, dict) else None
        if isinstance(table, dict):
            pip = table.get("pip")
            yield from [pip, table] if isinstance(pip, dict) else [table]


def _find_files(environ: Mapping[str, str], home: Path, project: Path | None, etc: Path) -> Iterator[Path]:
    if environ.get("UV_NO_CONFIG", "").lower() in ("1", "true", "yes"):
        return
    if named := environ.get("UV_CONFIG_FILE"):
        if not Path(named).is_file():
            raise UsageError(f"UV_CONFIG_FILE: there is no file {named}", hint="name another, or unset it")
        yield Path(named)
        return
    for folder in (project, *project.parents) if project else ():
        found = [folder / name for name in ("uv.toml", "pyproject.toml") if (folder / name).is_file()]
        if found:
            yield found[0]
            break
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    folders = (environ.get("XDG_CONFIG_DIRS") or str(etc / "xdg")).split(":")
    system = [Path(folder) / "uv" / "uv.toml" for folder in folders if folder] + [etc / "uv" / "uv.toml"]
    yield from [path for path in system if path.is_file()][:1]


def _find_named_credentials(
    environ: Mapping[str, str], entries: list[dict[str, Any]], env_indexes: tuple[str, ...]
) -> tuple[Credential, ...]:
    """Credentials that uv takes from ``UV_INDEX_<NAME>_USERNAME`` and ``…_PASSWORD``."""
    named = {_text(entry, "name"): _text(entry, "url") for entry in entries}
    pairs = (item.partition("=") for item in env_indexes)
    named |= {name: url for name, equals, url in pairs if equals and "://" not in name}
    found = []
    for name, url in named.items():
        prefix = "UV_INDEX_" + "".join(c if c.isalnum() else "_" for c in name.upper())
        user, password = environ.get(f"{prefix}_USERNAME", ""), environ.get(f"{prefix}_PASSWORD", "")
        if user or password:
            found.append(Credential(urlsplit(url).netloc.rpartition("@")[2].lower(), user, password))
    return tuple(found)


def _list(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    return value if isinstance(value, list) else []


def _text(value: object, key: str | None = None) -> str:
    if key is not None:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
