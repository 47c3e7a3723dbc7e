"""Whether anything brings the CUDA that a spec asks for: its packages, or its base image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from packaging.version import Version

from reprobox.errors import LockError
from reprobox.gpus.need import read_base_cuda, read_base_cudnn
from reprobox.lock import ArchiveBase, DebianBase, ImageBase, Wheel
from reprobox.resolve.compat import find_tested_tensorflow, list_cudas, list_tensorflows_with_cuda

_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn(-cu\d+)?")
_JAX_MAJORS = ("12", "13")
"""CUDAs that JAX has an extra for in one version or another; https://docs.jax.dev/en/latest/installation.html"""
_IMAGES = "build on an image of NVIDIA's that has it: `base: {image: …}` (`reprobox compat images`)"


def check_brought(
    frameworks: Mapping[str, str],
    wheels: Iterable[Wheel],
    cuda: str | None,
    base: DebianBase | ImageBase | ArchiveBase,
) -> None:
    """Raise LockError where the spec names a CUDA that nothing brings; the base image's will do, if it is that one.

    To uv an extra that a version lacks is no error.
    """
    if cuda is None or any(_brings(wheel, _RUNTIME) for wheel in wheels):
        return
    brought = read_base_cuda(_read_environment(base))
    if not brought:
        raise LockError(
            f"nothing in this spec brings CUDA {cuda}: {_say_who_does_not(frameworks, cuda)}",
            hint="; or ".join(_list_ways(frameworks, cuda)),
            about="cuda",
        )
    if not _begins_with(brought, ".".join(cuda.split(".")[:2])):
        raise LockError(
            f"the base image brings CUDA {brought}, no package brings another, and the spec says {cuda}",
            hint=f'write cuda: "{brought}", or take the base image with {cuda}',
            about="cuda",
        )


def check_cudnn_brought(wheels: Iterable[Wheel], cudnn: str | None, base: DebianBase | ImageBase | ArchiveBase) -> None:
    """Do the same for cuDNN."""
    if cudnn is None or any(_brings(wheel, _CUDNN) for wheel in wheels):
        return
    brought = read_base_cudnn(_read_environment(base))
    if not _begins_with(brought, cudnn):
        raise LockError(
            f"no package of this spec brings cuDNN {cudnn}, and the base image has {brought or 'none that is known'}",
            hint=f'write cudnn: "{".".join(brought.split(".")[:2])}"' if brought else "leave cudnn out",
            about="cudnn",
        )


def _read_environment(base: DebianBase | ImageBase | ArchiveBase) -> dict[str, str]:
    return dict(item.split("=", 1) for item in base.env) if isinstance(base, ImageBase) else {}


def _begins_with(version: str, wanted: str) -> bool:
    return f"{version}.".startswith(f"{wanted}.")


def _brings(wheel: Wheel, name: re.Pattern[str]) -> bool:
    """torch's builds for a CUDA have both inside where they depend on no wheels of NVIDIA's; so has its usual one."""
    return bool(name.fullmatch(wheel.name)) or (wheel.name == "torch" and not wheel.version.endswith("+cpu"))


def _say_who_does_not(frameworks: Mapping[str, str], cuda: str) -> str:
    if "tensorflow" in frameworks:
        return f"tensorflow {frameworks['tensorflow']} has no extra `and-cuda`, which came with 2.14"
    if "jax" in frameworks:
        return f"jax {frameworks['jax']} has no extra for CUDA {cuda.split('.')[0]}"
    return "no torch, tensorflow or jax for it is among `frameworks`, and no other package has it"


def _list_ways(frameworks: Mapping[str, str], cuda: str) -> Iterator[str]:
    if tensorflow := frameworks.get("tensorflow"):
        *others, last = list_tensorflows_with_cuda(cuda.split(".")[0])
        yield f"use tensorflow {', '.join(others)} or {last}, which bring theirs"
        tested = find_tested_tensorflow(tensorflow)
        yield _IMAGES.replace("has it", f"has CUDA {tested[0]}") if tested else _IMAGES
        return
    if "jax" in frameworks:
        yield f"write {' or '.join(_name_nearest(cuda))}, or cuda: auto, with a jax that has the extra"
    else:
        yield "leave cuda out, or name the framework that is to use it"
    yield _IMAGES


def _name_nearest(cuda: str) -> list[str]:
    """Return the nearest CUDA of each major version that there is anything for."""
    known = [[one for one in list_cudas(major) if one != cuda] for major in _JAX_MAJORS]
    return [f'cuda: "{min(ones, key=lambda one: _measure(one, cuda))}"' for ones in known if ones]


def _measure(one: str, other: str) -> int:
    numbers = [(*Version(version).release, 0)[:2] for version in (one, other)]
    (major, minor), (other_major, other_minor) = numbers
    return abs(1000 * (major - other_major) + minor - other_minor)
