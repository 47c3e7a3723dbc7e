"""The parts of the Docker engine that need no engine."""

import os
import queue
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from reprobox.engines.base import ContainerSpec, EngineGone, Fence, GpuAccess, Mount
from reprobox.engines.cdi import list_cdi_devices
from reprobox.engines.docker import images
from reprobox.engines.docker.config import run_config
from reprobox.engines.docker.describe import _choose_access, _list_devices, _store_kind, describe_engine
from reprobox.engines.docker.errors import refusal, translate_errors
from reprobox.engines.docker.memory import peak_of
from reprobox.engines.ending import Ending
from reprobox.engines.fake import FakeEngine
from reprobox.engines.owners import is_gone, is_temporary_gone, name_owner, name_temporary
from reprobox.engines.usage import choose_user_limit, watched_memory
from reprobox.layers.model import EPOCH


def test_images_of_ours_are_told_by_their_time():
    assert EPOCH == images._CREATED


def test_this_process_is_not_gone():
    assert not is_gone(name_owner())


def test_a_process_that_ended_is_gone():
    machine, _, _ = name_owner().rpartition(f"/{os.getpid()}/")
    assert is_gone(f"{machine}/999999999/1")


def test_a_process_number_used_again_is_another_process():
    owner, _, started = name_owner().rpartition("/")
    assert is_gone(f"{owner}/{int(started) - 1}")


def test_every_process_of_an_earlier_boot_is_gone():
    host, _, namespace, pid, started = name_owner().split("/")
    assert is_gone(f"{host}/another-boot/{namespace}/{pid}/{started}")


@pytest.mark.parametrize("position", [0, 2], ids=["machine", "namespace"])
def test_nothing_is_known_of_processes_elsewhere(position):
    parts = name_owner().split("/")
    parts[position] += "x"
    parts[3] = "999999999"
    assert not is_gone("/".join(parts))


@pytest.mark.parametrize("owner", ["", "nonsense", "a/b", "////", "a/b/c/-1/d"])
def test_a_label_that_is_not_ours_is_left_alone(owner):
    assert not is_gone(owner)


def test_a_temporary_image_s_name_says_whether_its_process_lives():
    name = name_temporary("reprobox/step")
    assert not is_temporary_gone(name)
    assert is_temporary_gone(name.replace(f"-{os.getpid()}-", "-999999999-"))
    host, _, rest = name.partition("-")
    assert not is_temporary_gone(f"{host[:-1]}x-{rest}".replace(f"-{os.getpid()}-", "-999999999-"))
    assert len(name.rpartition(":")[2]) <= 128


@pytest.mark.parametrize("name", ["", "reprobox/step:latest", "reprobox/step:0123456789ab", "x:a-b-c-d-e-f"])
def test_a_name_that_nobody_made_here_is_left_alone(name):
    assert not is_temporary_gone(name)


INFO = FakeEngine().info()


def configure(info=INFO, **settings):
    return run_config(ContainerSpec("demo:1", **settings), info)


@pytest.mark.parametrize(
    ("info", "user", "namespace"),
    [
        (INFO, "7:8", None),
        (replace(INFO, rootless=True), "0:0", None),
        (replace(INFO, rootless=True, name="podman"), "7:8", "keep-id"),
        (replace(INFO, name="podman"), "7:8", None),
    ],
)
def test_a_rootless_engine_s_user_is_the_caller_outside(info, user, namespace):
    config = configure(info, user="7:8")
    assert (config["User"], config["HostConfig"].get("UsernsMode")) == (user, namespace)
    assert configure(info)["User"] == ""


FENCE = Fence(
    memory=1 << 30,
    shm=1,
    scratch=2,
    scratch_folders=("/tmp",),
    read_only=True,
    processes=64,
    cpus="",
    open_files=9,
    file_size=8,
    quotas=(),
    runtime="",
)
GVISOR = {"runtimes": {"runc": "runc", "guard": "/usr/bin/runsc"}, "default_runtime": "runc"}


def fence_in(user_limit=None, info=INFO, **changes):
    fence = replace(FENCE, **changes)
    return run_config(ContainerSpec("demo:1", fence=fence), info, user_limit)["HostConfig"]


def test_a_fence_forbids_everything_that_is_not_named_here():
    fence = replace(FENCE, cpus="0-1", scratch_folders=("/tmp", "/home/reprobox"))
    mounts = (Mount(Path("/in"), "/input/x", read_only=True), Mount(Path("/out"), "/output", read_only=False))
    spec = ContainerSpec(
        "demo@sha256:1", fence=fence, mounts=mounts, user="7:8", capabilities=(), cpus=2, memory=5, shm=6
    )
    scratch = "rw,exec,nosuid,nodev,mode=1777,size=2"
    assert run_config(spec, INFO) == {
        "Image": "demo@sha256:1",
        "Hostname": "reprobox",
        "User": "7:8",
        "Env": [],
        "Labels": {},
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "LogConfig": {"Type": "none", "Config": {}},
            "SecurityOpt": ["no-new-privileges"],
            "CapDrop": ["ALL"],
            "CapAdd": [],
            "NanoCpus": 2_000_000_000,
            "CpusetCpus": "0-1",
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": scratch, "/home/reprobox": scratch},
            "Memory": 1 << 30,
            "MemorySwap": 1 << 30,
            "ShmSize": 1,
            "PidsLimit": 64,
            "IpcMode": "private",
            "Ulimits": [
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "nofile", "Soft": 9, "Hard": 9},
                {"Name": "fsize", "Soft": 8, "Hard": 8},
            ],
            "Mounts": [
                {"Type": "bind", "Source": "/in", "Target": "/input/x", "ReadOnly": True},
                {"Type": "bind", "Source": "/out", "Target": "/output", "ReadOnly": False},
            ],
            "Init": True,
        },
    }


def test_a_fence_leaves_the_engine_its_own_list_of_system_calls_unless_it_has_one(tmp_path):
    assert fence_in()["SecurityOpt"] == ["no-new-privileges"]
    closed = fence_in(profile=tmp_path / "list")
    assert closed["SecurityOpt"] == ["no-new-privileges", f"seccomp={tmp_path / 'list'}"]


@pytest.mark.parametrize(
    ("runtime", "default", "tasks"), [("", "runc", 64), ("guard", "runc", 640), ("", "guard", 640), ("runsc", "", 640)]
)
def test_processes_in_a_kernel_of_their_own_are_several_tasks_each(runtime, default, tasks):
    info = replace(INFO, runtimes=GVISOR["runtimes"], default_runtime=default)
    host = fence_in(info=info, runtime=runtime)
    assert (host["PidsLimit"], host.get("Runtime", "")) == (tasks, runtime)


def test_where_an_engine_holds_no_limits_the_kernel_holds_some():
    names = {one["Name"] for one in fence_in()["Ulimits"]}
    assert "nproc" not in names
    assert "OomScoreAdj" not in fence_in()
    host = fence_in(77, info=replace(INFO, holds_limits=False))
    assert {"Name": "nproc", "Soft": 77, "Hard": 77} in host["Ulimits"]
    assert host["OomScoreAdj"] == 1000


def test_a_user_s_processes_are_limited_where_nothing_better_is():
    assert choose_user_limit(FENCE, INFO) is None
    assert choose_user_limit(FENCE, replace(INFO, name="podman")) > 1000
    least = choose_user_limit(FENCE, replace(INFO, holds_limits=False))
    assert FENCE.processes < least < FENCE.processes + 30_000


@pytest.mark.parametrize(("limit", "ended"), [(1, True), (1 << 50, False), (None, False)])
def test_who_holds_more_memory_than_they_may_is_ended(limit, ended):
    sent = queue.SimpleQueue()
    ending = Ending(sent.put)
    with ending.possible(), watched_memory(ending, os.getpid(), limit):
        if ended:
            assert sent.get(timeout=10) is signal.SIGKILL
        else:
            time.sleep(0.3)
    assert (ending.out_of_memory, sent.empty()) == (ended, True)


def test_a_container_that_has_ended_is_not_looked_at():
    ending = Ending(lambda number: None)
    with ending.possible(), watched_memory(ending, 0, 1):
        time.sleep(0.3)
    assert not ending.out_of_memory


def test_the_engine_s_runtimes_are_known_by_name():
    told = {"Runtimes": {"runc": {"path": "runc"}, "guard": {"path": "/usr/bin/runsc"}, "shim": {}}}
    info = describe_engine(_Client({**told, "DefaultRuntime": "runc"}), {}, local=True)
    assert info.runtimes == {"runc": "runc", "guard": "/usr/bin/runsc", "shim": ""}
    assert [name for name in ("", "runc", "guard", "shim", "io.containerd.runsc.v1") if info.has_own_kernel(name)] == [
        "guard",
        "io.containerd.runsc.v1",
    ]


@pytest.mark.parametrize(
    ("kind", "hint"), [(7, "limits.open_files"), (6, "start it with CAP_SYS_RESOURCE, or higher limits")]
)
def test_a_limit_that_the_engine_may_not_set_is_hinted_at_by_its_kind(kind, hint):
    error = refusal(
        "starting", f"runc: error setting rlimits: error setting rlimit type {kind}: operation not permitted"
    )
    assert hint in error.hint


def test_a_container_gets_nothing_that_it_was_not_given():
    host = configure()["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not {"Privileged", "Memory", "NanoCpus", "DeviceRequests", "CapAdd"} & set(host)


def test_memory_includes_swap():
    host = configure(memory=1 << 20, cpus=1.5, shm=42)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["ShmSize"]) == (
        1 << 20,
        1 << 20,
        1_500_000_000,
        42,
    )


def test_gpus_are_asked_for_as_the_engine_takes_them():
    def ask(*gpus, **info):
        return configure(gpus=gpus, info=replace(INFO, **info))["HostConfig"]

    hook, cdi = GpuAccess.HOOK, GpuAccess.CDI
    assert "DeviceRequests" not in ask(gpu_access=hook)
    request = {"Driver": "", "Capabilities": [["gpu"]]}
    assert ask("all", gpu_access=hook)["DeviceRequests"] == [{**request, "Count": -1}]
    assert ask("0", "GPU-1f", gpu_access=hook)["DeviceRequests"] == [{**request, "DeviceIDs": ["0", "GPU-1f"]}]
    request = {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]}
    assert ask("0", "1", gpu_access=cdi)["DeviceRequests"] == [request]


def test_mounts_are_read_only_by_default(tmp_path):
    [mount] = configure(mounts=(Mount(tmp_path, "/input"),))["HostConfig"]["Mounts"]
    assert mount == {"Type": "bind", "Source": str(tmp_path), "Target": "/input", "ReadOnly": True}


@pytest.mark.parametrize(
    ("sample", "peak"),
    [
        ({"memory_stats": {"usage": 5, "max_usage": 9, "stats": {}}}, 9),
        ({"memory_stats": {"usage": 500, "stats": {"inactive_file": 100}}}, 400),
        ({"memory_stats": {"usage": 50, "stats": {"inactive_file": 100}}}, 0),
        ({"memory_stats": {}}, None),
        ({}, None),
    ],
)
def test_the_peak_is_the_kernel_s_own_where_it_keeps_one(sample, peak):
    assert peak_of(sample) == peak


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ([["driver-type", "io.containerd.snapshotter.v1"]], "containerd"),
        ([["Backing Filesystem", "extfs"]], "graph-driver"),
        (None, "graph-driver"),
    ],
)
def test_the_store_is_told_by_the_driver(status, kind):
    assert _store_kind({"DriverStatus": status}).value == kind


@pytest.mark.parametrize(
    ("info", "local", "access", "devices"),
    [
        ({"Runtimes": {"runc": {}}}, False, "none", ()),
        ({"Runtimes": {"runc": {}, "nvidia": {}}}, False, "hook", ()),
        (
            {"Runtimes": {"nvidia": {}}, "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]},
            False,
            "cdi",
            ("nvidia.com/gpu=0",),
        ),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "vendor.com/nic=0"}]}, False, "none", ()),
        ({"CDISpecDirs": ["HERE"]}, True, "cdi", ("nvidia.com/gpu=0", "nvidia.com/gpu=all")),
        # Another machine's files are not this one's.
        ({"CDISpecDirs": ["HERE"]}, False, "none", ()),
    ],
)
def test_how_gpus_are_handed_over_is_found_out(tmp_path, info, local, access, devices):
    (tmp_path / "nvidia.json").write_text('{"kind": "nvidia.com/gpu", "devices": [{"name": 0}, {"name": "all"}]}')
    info = {**info, **({"CDISpecDirs": [str(tmp_path)]} if "CDISpecDirs" in info else {})}
    found = _list_devices(info, tuple(info.get("CDISpecDirs", ())), local=local)
    assert (_choose_access(info, found, local=False).value, found) == (access, devices)


@pytest.mark.parametrize(
    "text",
    [
        "kind: nvidia.com/gpu\ndevices: [{name: '0'}, {name: '0'}, {nome: 1}, 7]\n",
        '{"kind": "nvidia.com/gpu", "devices": [{"name": "0"}]}',
    ],
)
def test_cdi_files_are_read_and_bad_ones_passed_over(tmp_path, text):
    (tmp_path / ("a.json" if text.startswith("{") else "a.yaml")).write_text(text)
    bad = ("[", "kind: nvidia.com/gpu\ndevices: 5\n", "- 1\n", "kind: other.com/gpu\ndevices: [{name: '1'}]\n", "")
    for number, one in enumerate(bad):
        (tmp_path / f"bad{number}.yaml").write_text(one)
    (tmp_path / "bad.json").write_text("[" * 100_000)
    (tmp_path / "notes.txt").write_text(text)
    assert list_cdi_devices([str(tmp_path), "/nowhere"]) == ("nvidia.com/gpu=0",)


def test_a_lost_connection_says_what_was_going_on_and_what_to_do():
    lost = requests.exceptions.ConnectionError(BrokenPipeError("broken"))
    says = pytest.raises(EngineGone, match=r"loading: the container engine stopped answering \(broken\)")
    with says as caught, translate_errors("loading"):
        raise lost
    assert "docker info" in caught.value.hint
    assert caught.value.exit_code == 5


def test_a_full_disk_is_hinted_at():
    error = refusal("loading", "write /var/lib/docker/tmp/x:\n no space left on device")
    assert error.message == "loading: the container engine says: write /var/lib/docker/tmp/x: no space left on device"
    assert "free some disk" in error.hint


class _Client:
    def __init__(self, info):
        self._info = info

    def info(self):
        return self._info


@pytest.mark.parametrize(
    ("info", "rootless", "holds_limits"),
    [
        ({}, False, True),
        ({"Rootless": True, "CgroupVersion": "1", "MemoryLimit": True, "CpuCfsQuota": True}, True, False),
        ({"Rootless": True, "CgroupVersion": "2", "MemoryLimit": True, "CpuCfsQuota": True}, True, True),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"], "CgroupVersion": "2"}, True, True),
        ({"SecurityOptions": ["name=rootless"], "CgroupVersion": "2", "MemoryLimit": False}, True, False),
    ],
)
def test_what_an_engine_says_of_being_rootless(info, rootless, holds_limits):
    described = describe_engine(_Client(info), {}, local=True)
    assert (described.rootless, described.holds_limits) == (rootless, holds_limits)
