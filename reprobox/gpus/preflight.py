"""Whether a run on GPUs can be one, before anything is started: each obstacle in a sentence, with the way round it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from reprobox.engines.base import EngineInfo, GpuAccess
from reprobox.engines.cdi import GPU_KIND
from reprobox.errors import EngineError
from reprobox.findings import Finding, Status
from reprobox.gpus.driver import Driver
from reprobox.gpus.drivers import (
    find_minimum_driver,
    find_shipped_driver,
    is_consumer_model,
    is_data_centre_model,
    takes_driver,
)
from reprobox.gpus.need import GpuNeed
from reprobox.gpus.selection import ALL
from reprobox.gpus.toolkit import list_weaknesses
from reprobox.records import Gpu

_SAY_CUDA = "say `cuda: auto` or a version in the spec, and lock again"
TOOLKIT = "GPU toolkit"
"""Name of the findings about weaknesses of NVIDIA's container toolkit."""


@dataclass(frozen=True)
class Surroundings:
    """What a run on GPUs depends on outside of its image."""

    driver: Driver
    engine: EngineInfo | None
    toolkit: str
    """The container toolkit's version; empty: none seen."""


def describe_gpus(around: Surroundings) -> tuple[Finding, ...]:
    """Return what can be said of this machine's GPUs, whatever image is to run: nothing of it stops a build."""
    driver = around.driver
    if not driver.gpus:
        if not driver.present:
            return (Finding("GPU", Status.OK, "none here: runs use the CPU"),)
        return (Finding("GPU", Status.WARNING, driver.trouble, driver.hint),)
    found = [Finding("GPU", Status.OK, ", ".join(_name(gpu) for gpu in driver.gpus) + f"; driver {driver.version}")]
    if around.engine is not None:
        found += _check_engine(around.engine, Status.WARNING)
        found += _check_toolkit(around.toolkit, around.engine)
    return tuple(found)


def check_gpus(around: Surroundings, devices: tuple[str, ...], need: GpuNeed) -> tuple[Finding, ...]:
    """Return every obstacle for this image on these devices; one that a run would not survive is ``FAILED``."""
    driver, engine = around.driver, around.engine
    if not driver.gpus:
        return (Finding("GPU", Status.FAILED, driver.trouble, driver.hint),)
    access = engine.gpu_access if engine else None
    found = [*_check_devices(driver.gpus, devices, access), *_check_driver(driver, need), *_check_build(need, access)]
    if engine is not None:
        found += _check_engine(engine, Status.FAILED)
        found += _check_names(engine, devices)
        found += _check_toolkit(around.toolkit, engine)
    return tuple(found)


def refuse(findings: Sequence[Finding]) -> None:
    """Raise ``EngineError`` with every finding that failed."""
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    if failed:
        *others, last = failed
        lines = [f"{one.detail}\n  hint: {one.hint}" if one.hint else one.detail for one in others]
        raise EngineError("\n".join([*lines, last.detail]), hint=last.hint or None)


def _name(gpu: Gpu) -> str:
    facts = [f"compute capability {gpu.compute_capability}"] if gpu.compute_capability else []
    facts += ["divided (MIG)"] if gpu.mig else []
    facts += [f"slowed by {' and '.join(gpu.slowed)}"] if gpu.slowed else []
    return f"{gpu.name} ({', '.join(facts)})" if facts else gpu.name


def _check_devices(gpus: Sequence[Gpu], devices: tuple[str, ...], access: GpuAccess | None) -> Iterator[Finding]:
    for device in () if devices == ALL else devices:
        number = device.partition(":")[0]
        if number.isdigit() and int(number) >= len(gpus):
            here = ", ".join(f"{gpu.index} ({gpu.name})" for gpu in gpus)
            yield Finding("GPU", Status.FAILED, f"there is no GPU {number} in this machine", f"there are {here}")
        elif ":" in device and access is GpuAccess.DIRECT:
            detail = f"{device} is no name by which CUDA itself finds a part of a divided GPU"
            yield Finding("GPU", Status.FAILED, detail, "without a container name it by its UUID: `nvidia-smi -L`")


def _check_driver(driver: Driver, need: GpuNeed) -> Iterator[Finding]:
    least, shipped = (find(need.cuda) if need.cuda else None for find in (find_minimum_driver, find_shipped_driver))
    if least is None or not _is_version(driver.version):
        return
    if Version(driver.version) < Version(least):
        yield _judge_old_driver(driver, need, least)
    elif shipped is not None and Version(driver.version) < Version(shipped):
        detail = (
            f"driver {driver.version} runs CUDA {need.cuda} by minor-version compatibility: what is compiled at run"
            " time (torch.compile, Triton, numba, XLA) may fail"
        )
        yield Finding("GPU driver", Status.WARNING, detail, f"update the driver to {shipped} if it does")


def _judge_old_driver(driver: Driver, need: GpuNeed, least: str) -> Finding:
    """An older branch will do where the image has NVIDIA's compatibility package and the GPU is a model for it."""
    package = f"cuda-compat-{need.cuda.replace('.', '-')}"
    if _is_forward_compatible(driver, need):
        detail = (
            f"driver {driver.version} is older than CUDA {need.cuda} needs, and {package} in the image stands in for"
            " the rest: NVIDIA supports that on data-centre models and some RTX ones"
        )
        return Finding("GPU driver", Status.WARNING, detail, f"update the driver to {least} or newer if it fails")
    hint = "update the driver, or choose an older `cuda` in the spec and lock again"
    if need.compat is None and any(is_data_centre_model(gpu.name) for gpu in driver.gpus):
        hint += f"; this model also takes an image of NVIDIA's as base, which has {package} (`reprobox compat images`)"
    detail = f"driver {driver.version} is too old for CUDA {need.cuda}, which needs {least} or newer"
    return Finding("GPU driver", Status.FAILED, detail, hint)


def _is_forward_compatible(driver: Driver, need: GpuNeed) -> bool:
    compat = need.compat
    if compat is None or compat.cuda.split(".")[0] != need.cuda.split(".")[0]:
        return False
    if any(is_consumer_model(gpu.name) for gpu in driver.gpus):
        return False
    return takes_driver(compat.cuda, compat.require, driver.version)


def _check_build(need: GpuNeed, access: GpuAccess | None) -> Iterator[Finding]:
    """Say which frameworks would stay on the CPU; with CUDA in the image something else may be what uses the GPU."""
    if need.without:
        detail = f"{' and '.join(need.without)} in this image is a build for the CPU: no GPU would be used"
        status = Status.WARNING if need.cuda else Status.FAILED
        yield Finding("image", status, f"{detail} by it" if need.cuda else detail, _SAY_CUDA)
    if need.bare:
        detail = (
            f"nothing in this image brings the CUDA that {' and '.join(need.bare)} needs: no GPU would be used by it"
        )
        # Without a container the machine's own libraries may be there.
        direct = access is GpuAccess.DIRECT
        yield Finding(
            "image",
            Status.WARNING if need.cuda or direct else Status.FAILED,
            detail,
            f"{_SAY_CUDA}; or take an image of NVIDIA's as base (`reprobox compat images`)",
        )


def _check_engine(engine: EngineInfo, severity: Status) -> Iterator[Finding]:
    if engine.gpu_access is not GpuAccess.NONE:
        return
    if engine.name == "podman":
        how = "run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, and have Podman 5.3 or newer"
    else:
        how = "run `nvidia-ctk runtime configure --runtime=docker` and restart Docker"
        if engine.rootless:
            how += "; on a rootless Docker set no-cgroups = true in the toolkit's config.toml, or use CDI"
    hint = f"install the NVIDIA Container Toolkit, {how}"
    yield Finding("GPU access", severity, f"{engine.name} cannot hand a GPU to containers here", hint)


def _check_names(engine: EngineInfo, devices: tuple[str, ...]) -> Iterator[Finding]:
    if engine.gpu_access is not GpuAccess.CDI:
        return
    known = [name.partition("=")[2] for name in engine.gpu_devices]
    for device in devices:
        if device not in known:
            detail = f"the CDI files here know no {GPU_KIND}={device}"
            hint = f"they know {', '.join(known)}; `nvidia-ctk cdi generate` makes them anew"
            yield Finding("GPU access", Status.FAILED, detail, hint)


def _check_toolkit(version: str, engine: EngineInfo) -> Iterator[Finding]:
    """A run without a container does not go through it."""
    seen = version and engine.gpu_access is not GpuAccess.DIRECT
    weaknesses = list_weaknesses(version, engine.gpu_access) if seen else ()
    if weaknesses:
        names = ", ".join(one.cve for one in weaknesses)
        newest = max((one.fixed for one in weaknesses), key=Version)
        detail = f"NVIDIA Container Toolkit {version} has known holes ({names}): {weaknesses[-1].what}"
        hint = f"update it to {newest} or newer before you run an image that is not yours"
        yield Finding(TOOLKIT, Status.WARNING, detail, hint)


def _is_version(text: str) -> bool:
    try:
        return bool(Version(text))
    except InvalidVersion:
        return False
