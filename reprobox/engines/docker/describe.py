"""What an engine says of itself, as data."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from typing import Any

import docker

from reprobox.engines.base import EngineInfo, GpuAccess, StoreKind
from reprobox.engines.cdi import FOLDERS, GPU_KIND, list_cdi_devices
from reprobox.engines.docker.errors import translate_errors

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Podman says them as Go does, Docker as the kernel does."""
_HOOK = "nvidia-container-runtime-hook"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a daemon looks for programs."""
_CONTAINERD = "io.containerd.snapshotter"


def describe_engine(client: docker.APIClient, version: Mapping[str, Any], *, local: bool) -> EngineInfo:
    """Ask the engine for its settings; ``version`` is what it answered to that question."""
    with translate_errors("asking the container engine about itself"):
        info: dict[str, Any] = client.info()
    # Docker says it among the ways it is secured, Podman in a place of its own.
    rootless = bool(info.get("Rootless")) or any("rootless" in option for option in info.get("SecurityOptions") or ())
    cgroup_version = info.get("CgroupVersion", "1")
    components = [one.get("Name", "") for one in version.get("Components") or ()]
    name = "podman" if any("podman" in one.lower() for one in components) else "docker"
    folders = tuple(info.get("CDISpecDirs") or ()) if name == "docker" else _podman_folders(version.get("Version", ""))
    devices = _list_devices(info, folders, local=local)
    return EngineInfo(
        name=name,
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
        gpu_access=_choose_access(info, devices, local=local and name == "docker"),
        gpu_devices=devices,
        init=bool(info.get("InitBinary")),
        runtimes={name: str(one.get("path") or "") for name, one in (info.get("Runtimes") or {}).items()},
        default_runtime=info.get("DefaultRuntime", ""),
    )


def _store_kind(info: dict[str, Any]) -> StoreKind:
    status = dict(info.get("DriverStatus") or ())
    return StoreKind.CONTAINERD if status.get("driver-type", "").startswith(_CONTAINERD) else StoreKind.GRAPH_DRIVER


def _podman_folders(version: str) -> tuple[str, ...]:
    """Return where Podman finds CDI files; before 5.3 it could not be asked for what they describe but on its own
    command line: https://github.com/containers/podman/issues/19338
    """
    major, minor = (int(part) for part in [*re.findall(r"\d+", version), "0", "0"][:2])
    return FOLDERS if (major, minor) >= (5, 3) else ()


def _list_devices(info: dict[str, Any], folders: tuple[str, ...], *, local: bool) -> tuple[str, ...]:
    """Return the GPUs that CDI files describe: Docker says so since 28.2, and where it reads them since 25."""
    named = [str(one.get("ID", "")) for one in info.get("DiscoveredDevices") or ()]
    found = tuple(name for name in named if name.startswith(f"{GPU_KIND}="))
    return found or (list_cdi_devices(folders) if local else ())


def _choose_access(info: dict[str, Any], devices: tuple[str, ...], *, local: bool) -> GpuAccess:
    if devices:
        return GpuAccess.CDI
    # Docker takes the hook where it is installed, without a word of it.
    hooked = local and shutil.which(_HOOK, path=_SYSTEM_PATH) is not None
    return GpuAccess.HOOK if hooked or "nvidia" in (info.get("Runtimes") or {}) else GpuAccess.NONE
