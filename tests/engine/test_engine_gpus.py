"""GPUs handed to containers by real engines, in the ways that they have; the GPUs are stand-ins."""

from pathlib import Path

import pytest
from engine_daemons import Daemon
from engine_images import make_image, run_shell
from engine_packages import why_not
from gpu_stand_ins import HOOK, install, write_cdi
from packaging.version import Version

from reprobox.engines.base import ContainerSpec, GpuAccess
from reprobox.engines.docker import connect
from reprobox.errors import EngineError
from reprobox.image import load_image

IMAGE = "reprobox-test/busybox:1"
NVIDIA = {"runtimes": {"nvidia": {"path": "runc"}}}
"""What `nvidia-ctk runtime configure` writes, with a runtime that adds nothing: the hook is what acts here."""


@pytest.fixture
def start(layers):
    """A function: engine and its settings -> that engine with a small image."""
    if reason := why_not():
        pytest.skip(reason)
    started = []

    def start(name, **arguments):
        daemon = Daemon(name, **arguments)
        started.append(daemon)
        engine = daemon.start()
        load_image(engine, make_image(layers), IMAGE, layers)
        return engine

    yield start
    for daemon in started:
        daemon.stop()


def shell(engine, line, *gpus):
    output = []
    spec = ContainerSpec(IMAGE, argv=("sh", "-c", line), gpus=gpus)
    result = engine.run_container(spec, lambda stream, data: output.append(data))
    return result.exit_code, b"".join(output).decode().split()


@pytest.mark.parametrize("name", ["docker-20.10", "docker-26.1-graph"])
def test_nvidia_s_hook_gets_the_gpus_that_were_asked_for(start, tmp_path, name):
    install(tmp_path / "bin", "nvidia-container-runtime-hook", HOOK)
    engine = start(name, settings=NVIDIA, programs=str(tmp_path / "bin"))
    assert engine.info().gpu_access is GpuAccess.HOOK
    assert shell(engine, "cat /gpu", "all") == (0, ["prestart", "NVIDIA_VISIBLE_DEVICES=all"])
    assert shell(engine, "cat /gpu", "0", "1") == (0, ["prestart", "NVIDIA_VISIBLE_DEVICES=0,1"])
    assert shell(engine, "test -e /gpu") == (1, [])


@pytest.mark.parametrize("name", ["docker-26.1-graph", "docker-26.1-containerd"])
def test_docker_with_cdi_gets_devices_and_no_hook(start, tmp_path, name):
    install(tmp_path / "bin", "nvidia-container-runtime-hook", HOOK)
    write_cdi(tmp_path / "cdi", "0", "1", "all")
    settings = {**NVIDIA, "features": {"cdi": True}, "cdi-spec-dirs": [str(tmp_path / "cdi")]}
    engine = start(name, settings=settings, programs=str(tmp_path / "bin"))
    info = engine.info()
    assert info.gpu_access is GpuAccess.CDI
    assert info.gpu_devices == ("nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all")
    check_devices(engine)
    assert shell(engine, "test -e /gpu", "0") == (1, [])


def test_a_podman_that_cannot_be_asked_for_devices_is_said_to_have_none(daemons):
    folder = Path("/etc/cdi")
    if folder.exists():
        pytest.skip("this machine has CDI files of its own")
    daemon, _ = daemons("podman")
    path = write_cdi(folder, "0", "all")
    try:
        info = connect({"DOCKER_HOST": daemon.host}).info()
    finally:
        path.unlink()
        folder.rmdir()
    newer = Version(info.version) >= Version("5.3")
    assert info.gpu_devices == (("nvidia.com/gpu=0", "nvidia.com/gpu=all") if newer else ())
    assert info.gpu_access is (GpuAccess.CDI if newer else GpuAccess.NONE)


def check_devices(engine):
    seen = "cd /dev; for name in nvidia-*; do test -c $name && echo $name; done; env | grep GPU_ | sort"
    assert shell(engine, seen, "0") == (0, ["nvidia-0", "GPU_0=here"])
    assert shell(engine, seen, "0", "1") == (0, ["nvidia-0", "nvidia-1", "GPU_0=here", "GPU_1=here"])
    assert shell(engine, seen, "all") == (0, ["nvidia-all", "GPU_ALL=here"])
    assert shell(engine, seen) == (0, [])
    with pytest.raises(EngineError, match=r"nvidia\.com/gpu=7"):
        shell(engine, "true", "7")


def test_an_image_runs_without_gpu_as_ever(start):
    assert run_shell(start("docker-20.10", settings=NVIDIA), IMAGE, "exit 3")[0] == 3
