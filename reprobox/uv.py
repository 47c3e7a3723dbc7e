"""Ask uv, as a program, which wheels requirements resolve to."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from reprobox.errors import LockError
from reprobox.files import open_scratch
from reprobox.http import HttpConfig
from reprobox.process import Finished, run_program

_LIMIT = 900.0
"""Seconds for one resolution; uv has its own, shorter limits for single requests."""


@dataclass(frozen=True)
class PythonConfig:
    """Where this machine gets Python packages from, as pip and uv are configured."""

    default_index: str = field(default="", repr=False)
    """The URL that replaces uv's own default index; empty: uv decides."""
    indexes: tuple[str, ...] = field(default=(), repr=False)
    """More indexes, by URL, first wins; credentials included."""
    links: tuple[str, ...] = field(default=(), repr=False)
    """Find-links folders and pages."""
    no_index: bool = False
    best_match: bool = False
    """Whether all indexes are equal, as for pip, rather than the first that knows a name winning, as for uv."""
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Other variables for uv: proxies, certificates, time limits."""
    http: HttpConfig = field(default_factory=HttpConfig)


@dataclass(frozen=True)
class Question:
    """One resolution to ask of uv."""

    requirements: tuple[str, ...]
    python_version: str
    platform: str
    """In uv's words: ``x86_64-manylinux_2_36``."""
    deps: bool = True
    torch_backend: str | None = None
    constraints: tuple[str, ...] = ()
    """What holds for packages that something else brings in."""
    preferences: tuple[tuple[str, str], ...] = ()
    """Name and version to keep where nothing speaks against them."""
    excluded: tuple[str, ...] = ()
    """Names that are had in another way, whoever depends on them."""
    folder: Path | None = None
    """Where uv looks for the project's own ``uv.toml`` or ``pyproject.toml``."""


@dataclass(frozen=True)
class WheelFile:
    """A wheel that an index offers; ``size`` and ``sha256`` are unknown to some indexes."""

    filename: str
    url: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True)
class Resolved:
    """One package of a resolution, and every wheel of it that fits the platform."""

    name: str
    version: str
    wheels: tuple[WheelFile, ...]


class UvRefused(Exception):
    """uv ended with an error; ``args[0]`` is its message without colours and boxes."""


def compile_requirements(question: Question, config: PythonConfig) -> tuple[Resolved, ...]:
    """Resolve ``question``; raises UvRefused with uv's words when uv cannot."""
    with open_scratch("reprobox-uv-") as folder:
        (folder / "requirements.in").write_text("".join(f"{line}\n" for line in question.requirements))
        if question.excluded:
            # An override whose marker never holds takes a package out of the resolution.
            lines = [f"{name} ; python_version < '0'\n" for name in question.excluded]
            (folder / "overrides.txt").write_text("".join(lines))
        if question.constraints:
            (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in question.constraints))
        output = folder / "pylock.toml"
        if question.preferences:
            output.write_text(_format_preferences(question.preferences))
        done = run_uv([*_make_arguments(question, folder), *_no_index(config)], config, question.folder)
        if done.code != 0:
            raise UvRefused(clean_message(done.stderr))
        return _parse_pylock(output.read_text(), folder)


def list_indexes(config: PythonConfig) -> tuple[str, ...]:
    """Ask uv which indexes it would use, the default one first; their credentials are not shown."""
    arguments = ["pip", "compile", "-", "--emit-index-url", "--no-header", "--quiet", "--color", "never"]
    done = run_uv([*arguments, "--python", sys.executable, *_no_index(config)], config)
    return tuple(re.findall(r"^--(?:extra-)?index-url\s+(\S+)", done.stdout, re.MULTILINE))


def strip_index_name(index: str) -> str:
    """Take the name off an index that is written ``name=https://…``."""
    head, equals, tail = index.partition("=")
    return tail if equals and "/" not in head else index


def run_uv(arguments: Sequence[str], config: PythonConfig, folder: Path | None = None) -> Finished:
    """Start uv under ``config``; raises LockError when it cannot be started or does not end."""
    try:
        return run_program([find_uv(), *arguments], timeout=_LIMIT, env=_make_env(config), cwd=folder)
    except FileNotFoundError as exc:
        raise LockError("uv cannot be started", hint="it comes with reprobox; install reprobox anew") from exc
    except subprocess.TimeoutExpired as exc:
        raise LockError(
            f"uv did not finish resolving within {_LIMIT / 60:.0f} minutes",
            hint="check the network and the package indexes, or pin more versions",
        ) from exc


def clean_message(text: str) -> str:
    """Take colours, boxes and passwords out of uv's message."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"[│╰─▶├×]+ ?", "", text)
    return re.sub(r"//[^/@\s]+@", "//", text).strip()


@cache
def find_uv() -> str:
    """Find the uv that was installed with this package."""
    import uv

    return str(uv.find_uv_bin())


def _make_arguments(question: Question, folder: Path) -> list[str]:
    arguments = [
        *("pip", "compile", str(folder / "requirements.in"), "--output-file", str(folder / "pylock.toml")),
        *("--format", "pylock.toml", "--python", sys.executable, "--only-binary", ":all:", "--no-universal"),
        *("--python-version", question.python_version, "--python-platform", question.platform),
        *("--quiet", "--color", "never", "--no-header", "--no-annotate"),
    ]
    if question.excluded:
        arguments += ["--override", str(folder / "overrides.txt")]
    if question.constraints:
        arguments += ["--constraint", str(folder / "constraints.txt")]
    if not question.deps:
        arguments.append("--no-deps")
    if question.torch_backend:
        arguments += ["--torch-backend", question.torch_backend]
    return arguments


def _no_index(config: PythonConfig) -> list[str]:
    """Not a variable: uv reads none for this, and would quietly ask the public index."""
    return ["--no-index"] if config.no_index else []


def _make_env(config: PythonConfig) -> dict[str, str | None]:
    """Say everything through the environment: arguments, and passwords in them, are for all users to see."""
    env: dict[str, str | None] = {
        **dict(config.env),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_INDEX": " ".join(config.indexes) or None,
        "UV_EXTRA_INDEX_URL": None,
        "UV_FIND_LINKS": ",".join(config.links) or None,
        # The spec alone decides these; a variable of this machine must not change the lock.
        "UV_TORCH_BACKEND": None,
        "UV_PYTHON": None,
        "UV_WORKING_DIR": None,
    }
    if config.default_index:
        env |= {"UV_DEFAULT_INDEX": config.default_index, "UV_INDEX_URL": None}
    if config.best_match:
        env["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return env


def _format_preferences(preferences: tuple[tuple[str, str], ...]) -> str:
    import tomli_w

    packages = [{"name": name, "version": version} for name, version in preferences]
    return tomli_w.dumps({"lock-version": "1.0", "created-by": "reprobox", "packages": packages})


def _parse_pylock(text: str, folder: Path) -> tuple[Resolved, ...]:
    try:
        packages = tomllib.loads(text).get("packages", [])
        return tuple(_parse_package(package, folder) for package in packages)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as exc:
        raise LockError(f"uv wrote a pylock.toml that cannot be read: {exc}", hint="report this as a bug") from exc


def _parse_package(package: Mapping[str, Any], folder: Path) -> Resolved:
    wheels = package.get("wheels", [])
    return Resolved(package["name"], package.get("version", ""), tuple(_parse_wheel(wheel, folder) for wheel in wheels))


def _parse_wheel(wheel: Mapping[str, Any], folder: Path) -> WheelFile:
    url = wheel.get("url") or (folder / wheel["path"]).resolve().as_uri()
    filename = wheel.get("name") or unquote(urlsplit(url).path.rpartition("/")[2])
    return WheelFile(filename, url, wheel.get("hashes", {}).get("sha256"), wheel.get("size"))
