"""What an engine says of itself, as data."""

from __future__ import annotations

from typing import Any

import docker

from reprobox.engines.base import EngineInfo, StoreKind
from reprobox.engines.docker.errors import translate_errors

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Podman says them as Go does, Docker as the kernel does."""
_CONTAINERD = "io.containerd.snapshotter"


def describe_engine(client: docker.APIClient, *, local: bool) -> EngineInfo:
    """Ask the engine for its version and settings."""
    with translate_errors("asking the container engine about itself"):
        info: dict[str, Any] = client.info()
        version: dict[str, Any] = client.version()
    # Docker says it among the ways it is secured, Podman in a place of its own.
    rootless = bool(info.get("Rootless")) or any("rootless" in option for option in info.get("SecurityOptions") or ())
    cgroup_version = info.get("CgroupVersion", "1")
    components = [one.get("Name", "") for one in version.get("Components") or ()]
    return EngineInfo(
        name="podman" if any("podman" in name.lower() for name in components) else "docker",
        version=version.get("Version", ""),
        api_version=version.get("ApiVersion", ""),
        store=_store_kind(info),
        storage_driver=info.get("Driver", ""),
        root=info.get("DockerRootDir", ""),
        local=local,
        rootless=rootless,
        cpus=info.get("NCPU", 0),
        memory=info.get("MemTotal", 0),
        architecture=_ARCHITECTURES.get(info.get("Architecture", ""), info.get("Architecture", "")),
        cgroup_version=cgroup_version,
        # Podman says that it has limits also where a plain user's it ignores.
        holds_limits=all(info.get(name, True) for name in ("MemoryLimit", "CpuCfsQuota"))
        and not (rootless and cgroup_version == "1"),
        gpu_runtimes=_gpu_runtimes(info),
        init=bool(info.get("InitBinary")),
    )


def _store_kind(info: dict[str, Any]) -> StoreKind:
    status = dict(info.get("DriverStatus") or ())
    return StoreKind.CONTAINERD if status.get("driver-type", "").startswith(_CONTAINERD) else StoreKind.GRAPH_DRIVER


def _gpu_runtimes(info: dict[str, Any]) -> tuple[str, ...]:
    runtimes = [name for name in info.get("Runtimes") or {} if "nvidia" in name or "amd" in name]
    devices = [one.get("ID", "") for one in info.get("DiscoveredDevices") or ()]
    return tuple(sorted({*runtimes, *(device.partition("=")[0] for device in devices)} - {""}))
