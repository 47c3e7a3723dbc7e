"""What an image needs of a GPU's driver, as its lock has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RUNTIMES = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
"""CUDA's own library as a wheel; since 13 its name has no number."""
_PLAIN = ("tensorflow-cpu", "intel-tensorflow")


@dataclass(frozen=True)
class GpuNeed:
    """What must be there for a run on a GPU to be one."""

    cuda: str = ""
    """The toolkit inside, "12.8"; empty: not known."""
    without: tuple[str, ...] = ()
    """Frameworks that are in the image in a build that cannot use any GPU."""


def find_need(versions: Mapping[str, str], environment: Mapping[str, str]) -> GpuNeed:
    """Read it from the locked ``versions`` (name -> version) and the base image's environment."""
    return GpuNeed(_find_cuda(versions, environment), tuple(_list_without(versions)))


def _find_cuda(versions: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Wheels bring a toolkit of their own, which goes before a base image's."""
    for name, version in versions.items():
        if _RUNTIMES.fullmatch(name):
            return ".".join(version.split(".")[:2])
    build = versions.get("torch", "").partition("+")[2]
    if re.fullmatch(r"cu\d{3}", build):
        return f"{build[2:-1]}.{build[-1]}"
    # As NVIDIA's own images say it.
    found = re.match(r"\d+\.\d+", environment.get("CUDA_VERSION", ""))
    return found[0] if found else ""


def _list_without(versions: Mapping[str, str]) -> list[str]:
    found = [f"torch {versions['torch']}"] if versions.get("torch", "").endswith("+cpu") else []
    found += [f"{name} {versions[name]}" for name in _PLAIN if name in versions]
    if "jaxlib" in versions and not any(re.fullmatch(r"jax-cuda\d+-(plugin|pjrt)", name) for name in versions):
        found.append(f"jaxlib {versions['jaxlib']}")
    return found
