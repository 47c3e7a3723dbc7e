"""An engine that starts programs of this machine where others start containers."""

from __future__ import annotations

import json
import os
import platform
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reprobox.engines.base import ContainerResult, ContainerSpec, EngineInfo, GpuAccess, StoreKind
from reprobox.engines.ending import Ending, caught_signals, time_limit
from reprobox.engines.local.isolation import choose_namespaces
from reprobox.errors import EngineError, Interrupted
from reprobox.files import open_scratch

_ENTER = Path(__file__).with_name("enter.py")
_PIECE = 1 << 16
_USE_ANOTHER = "leave out --engine local on a machine with Docker or Podman"


@dataclass(frozen=True)
class LocalImage:
    """What stands for an image: folders of this machine, and where the image would have them."""

    folders: Mapping[str, Path]
    """Target -> folder that is shown there, read-only."""
    copies: Mapping[str, Path]
    """Target -> folder of which each run has a copy there, which it may write to."""
    env: Mapping[str, str]
    entrypoint: tuple[str, ...]
    workdir: str


class LocalEngine:
    """Satisfies ``engines.base.Runner``; several may share their images."""

    def __init__(self, images: Mapping[str, LocalImage]) -> None:
        self._images = images
        self._running: set[int] = set()

    def info(self) -> EngineInfo:
        """Describe this machine as an engine."""
        namespaces = choose_namespaces(network=False)
        return EngineInfo(
            name="local",
            version=platform.release(),
            api_version="",
            store=StoreKind.GRAPH_DRIVER,
            storage_driver="none",
            root="",
            local=True,
            rootless=os.geteuid() != 0,
            cpus=os.cpu_count() or 1,
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            architecture=platform.machine(),
            cgroup_version="",
            holds_limits=False,
            gpu_access=GpuAccess.DIRECT,
            gpu_devices=(),
            init=True,
            runs_as_caller=True,
            isolation=f"namespaces: {', '.join(namespaces)}" if namespaces else "none",
        )

    def run_container(self, spec: ContainerSpec, on_output: Callable[[str, bytes], None]) -> ContainerResult:
        """Run to the end as a process of the caller's; see ``engines.base.Runner``."""
        image = self._images.get(spec.image)
        if image is None:
            raise EngineError(f"nothing is laid out under the name {spec.image}", hint=_USE_ANOTHER)
        namespaces = choose_namespaces(network=spec.network)
        if "mount" not in namespaces:
            raise EngineError(
                "this machine lets nobody lay out folders of their own (user namespaces), so /output and the like"
                " cannot be had",
                hint="have kernel.unprivileged_userns_clone or user.max_user_namespaces set, or use a container engine",
            )
        with _laid_out(image, spec, namespaces) as argv:
            return self._run(argv, {**image.env, **spec.env, **_show_gpus(spec.gpus)}, spec.timeout, on_output)

    def _run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        timeout: float | None,
        on_output: Callable[[str, bytes], None],
    ) -> ContainerResult:
        process: subprocess.Popen[bytes] | None = None

        def send(number: signal.Signals) -> None:
            if process is not None:
                _signal(process.pid, number)

        ending = Ending(send)
        with caught_signals(ending):
            began = time.monotonic()
            pipe, none = subprocess.PIPE, subprocess.DEVNULL
            with subprocess.Popen(
                argv, env=dict(env), stdin=none, stdout=pipe, stderr=pipe, start_new_session=True
            ) as process:
                self._running.add(process.pid)
                try:
                    with ending.possible(), time_limit(ending, timeout):
                        _pass_output(process, on_output)
                        code = process.wait()
                finally:
                    self._running.discard(process.pid)
                    _signal(process.pid, signal.SIGKILL)  # with all that it left running
            seconds = time.monotonic() - began
        ending.join()
        if ending.signal is not None:
            raise Interrupted(f"stopped by {ending.signal.name}")
        return ContainerResult(
            exit_code=code if code >= 0 else 128 - code,
            seconds=seconds,
            out_of_memory=False,
            timed_out=ending.timed_out,
            peak_memory=None,
        )

    def stop_containers(self, *, gently: bool = False) -> None:
        """End what runs here; see ``engines.base.Runner``."""
        for pid in tuple(self._running):
            _signal(pid, signal.SIGTERM if gently else signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a run's first process, and SIGKILL to all of its group; one that has ended is fine."""
    with suppress(ProcessLookupError, PermissionError):
        if number is signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


@contextmanager
def _laid_out(image: LocalImage, spec: ContainerSpec, namespaces: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the command that lays out an image's folders and runs what the spec names in them."""
    with open_scratch("reprobox-run-") as folder:
        (folder / "root").mkdir()
        inside = [f"{parent}/" for mount in spec.mounts for parent in Path(mount.target).parents]
        mounts = [
            (str(source), target, True)
            for target, source in image.folders.items()
            # Nothing can be laid into a read-only folder where it has nothing of that name; an empty one is not missed.
            if f"{target}/" not in inside or any(source.iterdir())
        ]
        for number, (target, source) in enumerate(image.copies.items()):
            copy = folder / f"copy{number}"
            shutil.copytree(source, copy, symlinks=True)
            mounts.append((str(copy), target, False))
        mounts += [(str(mount.source), mount.target, mount.read_only) for mount in spec.mounts]
        config = {
            "namespaces": namespaces,
            "root": str(folder / "root"),
            "mounts": mounts,
            "workdir": spec.workdir or image.workdir,
            "failure": str(folder / "failure"),
        }
        entrypoint = image.entrypoint if spec.entrypoint is None else spec.entrypoint
        yield [sys.executable, "-I", str(_ENTER), json.dumps(config), *entrypoint, *(spec.argv or ())]
        with suppress(FileNotFoundError):
            told = (folder / "failure").read_text("utf-8", errors="replace")
            raise EngineError(f"an image's folders cannot be laid over this machine's: {told}", hint=_USE_ANOTHER)


def _show_gpus(gpus: tuple[str, ...]) -> dict[str, str]:
    """Hide the GPUs that a run is not to have: nothing else keeps it from them.

    CUDA counts them from the fastest on unless it is told to count as nvidia-smi does:
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars
    """
    if gpus == ("all",):
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(gpus)}


def _pass_output(process: subprocess.Popen[bytes], on_output: Callable[[str, bytes], None]) -> None:
    """Hand over output as it comes, until the program has ended: what it left running may hold the pipes open."""
    assert process.stdout is not None
    assert process.stderr is not None
    with selectors.DefaultSelector() as selector:
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, name)
        ended = False
        while selector.get_map():
            ready = selector.select(timeout=0 if ended else 0.2)
            for key, _ in ready:
                data = os.read(key.fd, _PIECE)
                if data:
                    on_output(key.data, data)
                else:
                    selector.unregister(key.fileobj)
            if ended and not ready:
                return
            ended = ended or process.poll() is not None
