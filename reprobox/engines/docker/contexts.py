"""Where Docker's own settings say the engine is: $DOCKER_HOST, then the context in use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprobox.errors import EngineError


@dataclass(frozen=True)
class Tls:
    """The files of a TLS connection; each may be absent."""

    ca: Path | None
    certificate: Path | None
    key: Path | None
    verify: bool


@dataclass(frozen=True)
class Endpoint:
    """An address, and which setting it came from."""

    host: str
    tls: Tls | None
    origin: str


def find_endpoint(environ: Mapping[str, str]) -> Endpoint | None:
    """Return the endpoint that the environment or the Docker configuration names, or ``None`` for neither.

    The order is the docker command's: $DOCKER_HOST, $DOCKER_CONTEXT, ``currentContext`` of its config.json.
    """
    folder = _config_folder(environ)
    if host := environ.get("DOCKER_HOST"):
        return Endpoint(host, _environment_tls(environ, folder), "DOCKER_HOST")
    name = environ.get("DOCKER_CONTEXT") or _current_context(folder)
    if not name or name == "default" or folder is None:
        return None
    return _context_endpoint(folder, name)


def _config_folder(environ: Mapping[str, str]) -> Path | None:
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    return Path(environ["HOME"]) / ".docker" if environ.get("HOME") else None


def _environment_tls(environ: Mapping[str, str], folder: Path | None) -> Tls | None:
    verify, certificates = environ.get("DOCKER_TLS_VERIFY", ""), environ.get("DOCKER_CERT_PATH")
    if not verify and not certificates:
        return None
    return _tls_files(Path(certificates) if certificates else folder, verify=bool(verify))


def _tls_files(folder: Path | None, *, verify: bool) -> Tls:
    def find(name: str) -> Path | None:
        return folder / name if folder is not None and (folder / name).is_file() else None

    return Tls(find("ca.pem"), find("cert.pem"), find("key.pem"), verify)


def _current_context(folder: Path | None) -> str:
    if folder is None or not (folder / "config.json").is_file():
        return ""
    return str(_read_json(folder / "config.json").get("currentContext") or "")


def _context_endpoint(folder: Path, name: str) -> Endpoint:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    if not meta.is_file():
        raise EngineError(f"the Docker context {name!r} does not exist", hint="`docker context ls` lists them")
    docker = (_read_json(meta).get("Endpoints") or {}).get("docker") or {}
    if not docker.get("Host"):
        raise EngineError(f"the Docker context {name!r} names no engine", hint=f"look at {meta}")
    files = folder / "contexts" / "tls" / key / "docker"
    tls = _tls_files(files, verify=not docker.get("SkipTLSVerify")) if files.is_dir() else None
    return Endpoint(str(docker["Host"]), tls, f"the Docker context {name!r}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}", hint="repair it, or set DOCKER_HOST") from error
    return read if isinstance(read, dict) else {}
