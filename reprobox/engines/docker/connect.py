"""Find the container engine that this environment means, and say why none answers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.tls import TLSConfig

from reprobox.engines.docker.contexts import Endpoint, find_endpoint
from reprobox.engines.docker.engine import DockerEngine
from reprobox.engines.docker.errors import causes
from reprobox.errors import EngineError

_OLDEST_API = "1.41"
"""Docker 20.10's."""
_INSTALL = "install Docker (Debian, Ubuntu: apt-get install docker.io) or Podman and start it; `reprobox doctor` checks"


def connect(environ: Mapping[str, str]) -> DockerEngine:
    """Return the engine of $DOCKER_HOST, of the Docker context, or of the first usual socket that is there.

    Raises ``EngineError`` with what to do when nothing answers there.
    """
    endpoint = find_endpoint(environ)
    if endpoint is not None:
        return _open(endpoint)
    sockets = [path for path in _usual_sockets(environ) if path.is_socket()]
    if not sockets:
        raise EngineError("no container engine is running: none of the usual sockets is there", hint=_INSTALL)
    failure: EngineError | None = None
    for path in sockets:
        try:
            return _open(Endpoint(f"unix://{path}", None, "default"))
        except EngineError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _usual_sockets(environ: Mapping[str, str]) -> Iterator[Path]:
    yield Path("/var/run/docker.sock")
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "docker.sock"
    if home := environ.get("HOME"):
        for place in (".docker/run", ".docker/desktop", ".colima/default", ".rd"):
            yield Path(home) / place / "docker.sock"
    if runtime:
        yield Path(runtime) / "podman" / "podman.sock"
    yield Path("/run/podman/podman.sock")


def _open(endpoint: Endpoint) -> DockerEngine:
    if endpoint.host.startswith("ssh://"):
        raise EngineError(
            f"the engine at {endpoint.host} is reached over ssh, which is not supported",
            hint="forward its socket (ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST) "
            "and set DOCKER_HOST=unix:///tmp/engine.sock",
        )
    try:
        _knock(endpoint.host)
        client, version = _negotiate(endpoint)
    except (docker.errors.DockerException, requests.RequestException, OSError, ValueError, KeyError) as error:
        raise _explain(endpoint, error) from error
    return DockerEngine(client, version, local=endpoint.host.startswith(("unix://", "npipe://")))


def _negotiate(endpoint: Endpoint) -> tuple[docker.APIClient, dict[str, Any]]:
    """Return a client that speaks the engine's own version of the API, and what the engine said of its version."""
    client = docker.APIClient(base_url=endpoint.host, version=_OLDEST_API, tls=_tls(endpoint), timeout=60)
    # Else requests lets $REQUESTS_CA_BUNDLE win over the engine's own authority, and sends it through a proxy.
    client.trust_env = False
    answer: dict[str, Any] = client.version(api_version=False)
    version = str(answer["ApiVersion"])
    if _parse_version(version) < _parse_version(_OLDEST_API):
        raise EngineError(
            f"the container engine at {endpoint.host} is too old: it speaks API {version}",
            hint=f"reprobox needs API {_OLDEST_API}: Docker 20.10 or newer, or Podman 4 or newer",
        )
    sdk: Any = client
    sdk._version = version
    return client, answer


def _knock(host: str) -> None:
    """Raise ``OSError`` when a Unix socket does not open; the SDK would say so less clearly, and leak the socket."""
    scheme, _, path = host.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(10)
            probe.connect(path)


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    if endpoint.tls is None:
        return False
    tls = endpoint.tls
    pair = (str(tls.certificate), str(tls.key)) if tls.certificate and tls.key else None
    ca = str(tls.ca) if tls.ca else None
    return TLSConfig(client_cert=pair, ca_cert=ca, verify=tls.verify)


def _explain(endpoint: Endpoint, error: Exception) -> EngineError:
    where = f"the container engine at {endpoint.host} (from {endpoint.origin})"
    chain = list(causes(error))
    for one in chain:
        match one:
            case FileNotFoundError():
                return EngineError(f"{where} is not running: there is no such socket", hint=_INSTALL)
            case PermissionError():
                return EngineError(
                    f"{where} does not let this user in",
                    hint="join its group (sudo usermod -aG docker $USER, then log in again)",
                )
            case ssl.SSLError() | docker.errors.TLSParameterError():
                return EngineError(
                    f"{where} and this machine do not agree on TLS: {one}",
                    hint="check DOCKER_TLS_VERIFY and the ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH",
                )
            case ConnectionRefusedError():
                return EngineError(f"{where} is not running: nothing listens there", hint="start it, then try again")
            case TimeoutError():
                return EngineError(f"{where} does not answer", hint="see whether it still runs; check the address")
    return EngineError(f"{where} cannot be used: {chain[-1] or error}", hint="`docker version` should work there first")


def _parse_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
