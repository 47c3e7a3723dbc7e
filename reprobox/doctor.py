"""Look at the machine: what works, what does not, what to do about it."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from reprobox.engines.base import Engine, EngineInfo
from reprobox.errors import EngineError
from reprobox.findings import Finding, Status
from reprobox.gpus.driver import Driver
from reprobox.gpus.preflight import Surroundings, describe_gpus
from reprobox.records import Host
from reprobox.sizes import format_size

_LOW_DISK = 10 * 10**9
"""Bytes: one image with torch and TensorFlow on CPU, its wheels, layers and the engine's copy take about this."""
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def examine(
    connect: Callable[[], Engine], host: Host, driver: Driver, toolkit: str, cache: Path, environ: Mapping[str, str]
) -> tuple[tuple[Finding, ...], EngineInfo | None]:
    """Return every finding, the engine's first, and what the engine says of itself when one answers."""
    try:
        info = connect().info()
        engine = (_describe_engine(info), _describe_store(info), *_describe_reach(info), *_describe_limits(info))
    except EngineError as exc:
        info, engine = None, (Finding("engine", Status.FAILED, exc.message, exc.hint or ""),)
    findings = (
        *engine,
        _describe_disk("cache", cache),
        *(
            (_describe_disk("engine data", Path(info.root)),)
            if info and info.local and Path(info.root).exists()
            else ()
        ),
        _describe_cpu(host),
        *describe_gpus(Surroundings(driver, info, toolkit)),
        _describe_proxy(environ),
        _describe_ca(environ),
    )
    return findings, info


def _describe_engine(info: EngineInfo) -> Finding:
    rootless = ", rootless" if info.rootless else ""
    return Finding("engine", Status.OK, f"{info.name} {info.version}, API {info.api_version}{rootless}")


def _describe_store(info: EngineInfo) -> Finding:
    meaning = {
        "graph-driver": "its image ID is the image digest",
        "containerd": "its image ID is the manifest digest",
    }[info.store.value]
    return Finding("image store", Status.OK, f"{info.store.value} ({info.storage_driver}): {meaning}")


def _describe_reach(info: EngineInfo) -> tuple[Finding, ...]:
    if info.local:
        return ()
    hint = "build works; to run, use reprobox on the engine's own machine"
    return (
        Finding("engine's place", Status.WARNING, "on another machine: its containers cannot see files here", hint),
    )


def describe_local(namespaces: tuple[str, ...]) -> Finding:
    """Say whether this machine lets its user run without a container (``--engine local``)."""
    if "mount" in namespaces:
        return Finding("no container", Status.OK, f"`--engine local` can run here ({', '.join(namespaces)})")
    detail = "`--engine local` cannot run here: the kernel gives its user no namespaces"
    hint = "it matters only where there is no engine: user.max_user_namespaces, kernel.unprivileged_userns_clone"
    return Finding("no container", Status.WARNING, detail, hint)


def _describe_limits(info: EngineInfo) -> tuple[Finding, ...]:
    if info.holds_limits:
        return ()
    detail = "this engine cannot limit a container: `resources` has no effect, and a fork bomb is not stopped"
    return (Finding("limits", Status.WARNING, detail, "use an engine of root's, or cgroup version 2 with delegation"),)


def _describe_disk(name: str, folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK) and name == "cache":
        return Finding(name, Status.FAILED, f"{folder} cannot be written", "set REPROBOX_CACHE to a folder of yours")
    free = shutil.disk_usage(existing).free
    detail = f"{folder}: {format_size(free)} free"
    if free < _LOW_DISK:
        return Finding(name, Status.WARNING, detail, f"an image with a framework needs about {format_size(_LOW_DISK)}")
    return Finding(name, Status.OK, detail)


def _describe_cpu(host: Host) -> Finding:
    wide = next(
        (flag for flag in ("avx512f", "avx2", "avx", "sse4_2") if flag in host.cpu_flags), "no vector flags seen"
    )
    return Finding("CPU", Status.OK, f"{host.cpu_model}, {host.cpus} usable, {wide}, {format_size(host.memory)} memory")


def _describe_proxy(environ: Mapping[str, str]) -> Finding:
    found = next((name for name in _PROXY_VARIABLES if environ.get(name)), None)
    if found is None:
        return Finding("proxy", Status.OK, "none set")
    return Finding("proxy", Status.OK, f"{found}={hide_password(environ[found])}")


def hide_password(url: str) -> str:
    """Return ``url`` without what stands before its ``@``."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="…@" + parts.netloc.rpartition("@")[2]))


def _describe_ca(environ: Mapping[str, str]) -> Finding:
    named = [(name, environ[name]) for name in _CA_VARIABLES if environ.get(name)]
    missing = [(name, path) for name, path in named if not Path(path).exists()]
    if missing:
        name, path = missing[0]
        return Finding(
            "certificates", Status.FAILED, f"{name} names {path}, which is not there", f"correct or unset {name}"
        )
    for name, path in named:
        if trouble := _read_certificates(Path(path)):
            detail = f"{name} names {path}, which cannot be used: {trouble}"
            return Finding("certificates", Status.FAILED, detail, f"correct or unset {name}")
    if named:
        return Finding("certificates", Status.OK, f"the system's, and {named[0][1]} ({named[0][0]})")
    return Finding("certificates", Status.OK, "the system's")


def _read_certificates(path: Path) -> str:
    """Return why a CA bundle cannot be used, or nothing; a folder's are read when one is looked for."""
    if path.is_dir():
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError as exc:
        return f"it holds no certificates ({exc.reason or 'unreadable'})"
    except OSError as exc:
        return exc.strerror or "it cannot be read"
    return ""
