"""pip's configuration: its files in their documented places, and its variables."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_SECTIONS = ("global", "install")
"""The second overrides the first, as for ``pip install``."""
_ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url", "i": "index-url"}


def read_pip_settings(environ: Mapping[str, str], home: Path, etc: Path = Path("/etc")) -> dict[str, str]:
    """Return pip's settings by their long names (``index-url``), the later and stronger ones winning.

    Order, as in pip's manual: global, user, environment's own folder, ``PIP_CONFIG_FILE``, ``PIP_*`` variables.
    """
    settings: dict[str, str] = {}
    for path in _find_files(environ, home, etc):
        settings.update(_read_file(path))
    for key, value in environ.items():
        if key.startswith("PIP_") and key != "PIP_CONFIG_FILE" and value.strip():
            settings[_normalize(key[4:])] = value.strip()
    return settings


def _find_files(environ: Mapping[str, str], home: Path, etc: Path) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    yield from _find_global(environ, etc)
    if not (named and Path(named).exists()):
        yield from _find_user(environ, home)
    yield Path(environ["VIRTUAL_ENV"] if environ.get("VIRTUAL_ENV") else sys.prefix) / "pip.conf"
    if named:
        yield Path(named)


def _find_global(environ: Mapping[str, str], etc: Path) -> Iterator[Path]:
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        return
    folders = (environ.get("XDG_CONFIG_DIRS") or str(etc / "xdg")).split(":")
    # The first folder is the strongest, so it comes last here.
    yield from (Path(folder) / "pip" / "pip.conf" for folder in reversed(folders) if folder)
    yield etc / "pip.conf"


def _find_user(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield home / ".pip" / "pip.conf"
    mac = home / "Library" / "Application Support" / "pip"
    if sys.platform == "darwin" and mac.is_dir():
        yield mac / "pip.conf"
    else:
        yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"


def _read_file(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    found = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found.update({_normalize(key): value.strip() for key, value in parser.items(section) if value.strip()})
    return found


def _normalize(key: str) -> str:
    name = key.lower().replace("_", "-").lstrip("-")
    return _ALIASES.get(name, name)
