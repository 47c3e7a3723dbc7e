"""What the engine is told of a container to run."""

from __future__ import annotations

from typing import Any

from reprobox.engines.base import ContainerSpec, EngineInfo, Fence, GpuAccess, Mount
from reprobox.engines.cdi import GPU_KIND

MOST_PROCESSES = 4096
"""Enough for any training, too few for a fork bomb to take the machine down."""
_OWN_TASKS, _TASKS = 128, 8
"""What gVisor itself is to this machine's kernel, and each process in it: with Debian 12's runsc some 60, and 5."""


def run_config(spec: ContainerSpec, info: EngineInfo, user_limit: int | None = None) -> dict[str, Any]:
    """Return the body of this engine's create call; ``user_limit`` is for all processes of the user's."""
    user, namespace = _inside(spec.user, info)
    config: dict[str, Any] = {
        "Image": spec.image,
        "Hostname": "reprobox",
        "User": user,
        "Env": [f"{name}={value}" for name, value in sorted(spec.env.items())],
        "Labels": dict(spec.labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": not spec.network,
        # An init process in front, where the engine has one.
        "HostConfig": {**_host_config(spec), **_gpu_config(spec.gpus, info), **namespace, "Init": info.init},
    }
    if spec.entrypoint is not None:
        config["Entrypoint"] = list(spec.entrypoint)
    if spec.argv is not None:
        # An empty entrypoint with a command would be filled from the image by some engines.
        key = "Entrypoint" if spec.entrypoint == () else "Cmd"
        config[key] = list(spec.argv)
    if spec.workdir is not None:
        config["WorkingDir"] = spec.workdir
    if spec.fence is not None:
        config["HostConfig"] |= _fence_config(spec.fence, info, user_limit)
    return config


def _inside(user: str, info: EngineInfo) -> tuple[str, dict[str, str]]:
    """Return who a user of this machine is inside, and how the engine is told to make it so.

    A rootless engine runs as a plain user, who is root inside unless it maps them to themselves; Docker has no such
    mapping. https://docs.podman.io/en/latest/markdown/podman-run.1.html#userns-mode
    """
    if not user or not info.rootless:
        return user, {}
    return (user, {"UsernsMode": "keep-id"}) if info.name == "podman" else ("0:0", {})


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": "default" if spec.network else "none",
        # The output is read from the attached streams; a log file could fill the engine's disk.
        "LogConfig": {"Type": "none", "Config": {}},
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": MOST_PROCESSES,
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
    return host


def _fence_config(fence: Fence, info: EngineInfo, user_limit: int | None) -> dict[str, Any]:
    """Close everything that a stranger's program does not need; the engine's own seccomp profile stays on."""
    scratch = f"rw,exec,nosuid,nodev,mode=1777,size={fence.scratch}"
    config: dict[str, Any] = {
        "ReadonlyRootfs": fence.read_only,
        "Tmpfs": dict.fromkeys(fence.scratch_folders, scratch),
        "Memory": fence.memory,
        # The same: no swap at all.
        "MemorySwap": fence.memory,
        "ShmSize": fence.shm,
        "PidsLimit": _count_tasks(fence, info),
        "IpcMode": "private",
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": fence.open_files, "Hard": fence.open_files},
            {"Name": "fsize", "Soft": fence.file_size, "Hard": fence.file_size},
        ],
    }
    if fence.cpus:
        config["CpusetCpus"] = fence.cpus
    if fence.runtime:
        config["Runtime"] = fence.runtime
    if fence.profile:  # in place of what is asked for without a fence: the same, and this
        config["SecurityOpt"] = ["no-new-privileges", f"seccomp={fence.profile}"]
    if user_limit is not None:
        config["Ulimits"].append({"Name": "nproc", "Soft": user_limit, "Hard": user_limit})
    if not info.holds_limits:  # when the machine has no memory left, this is whom the kernel ends
        config["OomScoreAdj"] = 1000
    return config


def _count_tasks(fence: Fence, info: EngineInfo) -> int:
    """Return how many tasks of this machine's kernel the processes inside may be."""
    own_kernel = info.has_own_kernel(fence.runtime)
    return _OWN_TASKS + _TASKS * fence.processes if own_kernel else fence.processes


def _gpu_config(devices: tuple[str, ...], info: EngineInfo) -> dict[str, Any]:
    """Ask for GPUs in the way that this engine takes them: by CDI where it has it.

    https://docs.docker.com/build/building/cdi/; Podman takes the same.
    """
    if not devices:
        return {}
    names = [f"{GPU_KIND}={device}" for device in devices]
    if info.gpu_access is not GpuAccess.CDI:
        which = {"Count": -1} if devices == ("all",) else {"DeviceIDs": list(devices)}
        return {"DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]], **which}]}
    return {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": names}]}


def _mount(mount: Mount) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.read_only}
