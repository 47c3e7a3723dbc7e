"""What the engine is told of a container to run."""

from __future__ import annotations

from typing import Any

from reprobox.engines.base import ContainerSpec, Mount

_MOST_PROCESSES = 4096
"""Enough for any training, too few for a fork bomb to take the machine down."""


def run_config(spec: ContainerSpec, *, init: bool) -> dict[str, Any]:
    """Return the body of the engine's create call; ``init`` where the engine has an init process to put in front."""
    config: dict[str, Any] = {
        "Image": spec.image,
        "Hostname": "reprobox",
        "User": spec.user,
        "Env": [f"{name}={value}" for name, value in sorted(spec.env.items())],
        "Labels": dict(spec.labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": not spec.network,
        "HostConfig": {**_host_config(spec), "Init": init},
    }
    if spec.entrypoint is not None:
        config["Entrypoint"] = list(spec.entrypoint)
    if spec.argv is not None:
        # An empty entrypoint with a command would be filled from the image by some engines.
        key = "Entrypoint" if spec.entrypoint == () else "Cmd"
        config[key] = list(spec.argv)
    if spec.workdir is not None:
        config["WorkingDir"] = spec.workdir
    return config


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": "default" if spec.network else "none",
        # The output is read from the attached streams; a log file could fill the engine's disk.
        "LogConfig": {"Type": "none", "Config": {}},
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": _MOST_PROCESSES,
        "Mounts": [_mount(mount) for mount in spec.mounts],
    }
    if spec.capabilities is not None:
        host |= {"CapDrop": ["ALL"], "CapAdd": list(spec.capabilities)}
    if spec.cpus is not None:
        host["NanoCpus"] = round(spec.cpus * 1e9)
    if spec.memory is not None:
        host |= {"Memory": spec.memory, "MemorySwap": spec.memory}
    if spec.shm is not None:
        host["ShmSize"] = spec.shm
    if spec.gpus:
        host["DeviceRequests"] = [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]
    return host


def _mount(mount: Mount) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.read_only}
