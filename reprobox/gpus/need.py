"""What an image needs of a GPU's driver, as its lock has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from reprobox.tables import load_table

_RUNTIMES = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
"""CUDA's own library as a wheel; since 13 its name has no number."""
_PLAIN = ("tensorflow-cpu", "intel-tensorflow")
_TENSORFLOW = ("tensorflow", "tensorflow-gpu")
"""Its wheels are for GPUs and bring nothing of CUDA: that is its extra's, or the base image's."""
_JAX_PLUGIN = re.compile(r"jax-cuda(\d+)-plugin")
"""So is this one, where nobody asks for its extra."""
_COMPAT = re.compile(r"cuda-compat-(\d+)-(\d+)")
"""NVIDIA's package with the part of a newer driver that a program loads itself."""


@dataclass(frozen=True)
class Compat:
    """What lets a newer CUDA run on an older driver ("forward compatibility")."""

    cuda: str
    """The toolkit that it is of, "13.0"."""
    require: str = ""
    """Of NVIDIA's base image: which drivers it takes, as its environment says it; empty: it is a package alone."""


@dataclass(frozen=True)
class GpuNeed:
    """What must be there for a run on a GPU to be one."""

    cuda: str = ""
    """The toolkit inside, "12.8"; empty: not known."""
    without: tuple[str, ...] = ()
    """Frameworks that are in the image in a build that cannot use any GPU."""
    bare: tuple[str, ...] = ()
    """Frameworks that could use one, if something in the image brought the CUDA they were built for."""
    compat: Compat | None = None


def find_need(
    versions: Mapping[str, str], environment: Mapping[str, str] | None = None, system: Iterable[str] = ()
) -> GpuNeed:
    """Read it from the locked ``versions`` (name -> version), the base image's environment and Debian packages."""
    environment = environment or {}
    cuda = _find_cuda(versions, environment)
    return GpuNeed(
        cuda=cuda,
        without=tuple(_list_without(versions)),
        bare=tuple(_list_bare(versions, cuda)),
        compat=_find_compat(environment, system),
    )


def _find_cuda(versions: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Wheels bring a toolkit of their own, which goes before a base image's."""
    for name, version in versions.items():
        if _RUNTIMES.fullmatch(name):
            return ".".join(version.split(".")[:2])
    build = versions.get("torch", "").partition("+")[2]
    if re.fullmatch(r"cu\d{3}", build):
        return f"{build[2:-1]}.{build[-1]}"
    return read_base_cuda(environment)


def read_base_cuda(environment: Mapping[str, str]) -> str:
    """Return the toolkit of a base image, as NVIDIA's own say it, "12.8"; empty: it brings none that is known."""
    found = re.match(r"\d+\.\d+", environment.get("CUDA_VERSION", ""))
    return found[0] if found else ""


def read_base_cudnn(environment: Mapping[str, str]) -> str:
    """Return the cuDNN of a base image, "9.8.0.87", as read_base_cuda does."""
    found = re.match(r"\d+(\.\d+)+", environment.get("NV_CUDNN_VERSION", ""))
    return found[0] if found else ""


def _list_without(versions: Mapping[str, str]) -> list[str]:
    found = [f"torch {versions['torch']}"] if versions.get("torch", "").endswith("+cpu") else []
    found += [f"{name} {versions[name]}" for name in _PLAIN if name in versions]
    if "jaxlib" in versions and not any(re.fullmatch(r"jax-cuda\d+-(plugin|pjrt)", name) for name in versions):
        found.append(f"jaxlib {versions['jaxlib']}")
    return found


def _list_bare(versions: Mapping[str, str], cuda: str) -> Iterator[str]:
    """Both load the libraries by names that have CUDA's major version in them."""
    wanted = {name: _find_tensorflow_cuda(versions[name]) for name in _TENSORFLOW if name in versions}
    wanted |= {name: found[1] for name in versions if (found := _JAX_PLUGIN.fullmatch(name))}
    for name, one in sorted(wanted.items()):
        if not cuda or (one and one.split(".")[0] != cuda.split(".")[0]):
            yield f"{name} {versions[name]}" + (f" (for CUDA {one})" if one else "")


def _find_tensorflow_cuda(version: str) -> str:
    try:
        public = Version(version).public
    except InvalidVersion:
        return ""
    rows = load_table("compat_tensorflow")["releases"]
    return next((str(row["tested"]["cuda"]) for row in rows if str(row["tensorflow"]) == public), "")


def _find_compat(environment: Mapping[str, str], system: Iterable[str]) -> Compat | None:
    for name in system:
        if found := _COMPAT.fullmatch(name):
            return Compat(f"{found[1]}.{found[2]}")
    require, cuda = environment.get("NVIDIA_REQUIRE_CUDA", ""), read_base_cuda(environment)
    # All of NVIDIA's images have the package from their `base` flavour on; data/compat_cuda_driver.yaml, D.
    return Compat(cuda, require) if require and cuda else None
