"""One CUDA and one cuDNN for everything in an image: chosen, asked for, and checked in what was resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reprobox.errors import LockError
from reprobox.lock import Wheel
from reprobox.resolve.compat import find_tested_tensorflow, list_torch_builds, list_torches_for
from reprobox.resolve.torch_builds import read_build
from reprobox.spec.model import BuiltFor

AUTO = "auto"
Known = Mapping[str, BuiltFor]
"""What the spec itself says of frameworks."""
_TOOLKIT = ("cuda-runtime", "cuda-cupti", "cuda-nvcc", "cuda-nvrtc", "nvjitlink")
"""Parts whose versions begin with the toolkit's own; the others count for themselves."""
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn-cu\d+")
_JAX_MAJOR = "12"
"""JAX has extras for CUDA 12 since 0.4, and for 13 in newer versions only."""


def choose_cuda(frameworks: Mapping[str, str], cuda: str | None, known: Known) -> str | None:
    """Return the CUDA that ``auto`` means for these frameworks, "13.0", or "12" where any of it will do.

    torch's is what its usual wheel was built for, or one of its other builds where TensorFlow needs that; TensorFlow's
    is what it was tested with. What is ``known`` of a framework goes before the tables. Raises LockError where they
    cannot be in one image, or nothing says which it should be.
    """
    if cuda != AUTO:
        return cuda
    torch, tensorflow = frameworks.get("torch"), frameworks.get("tensorflow")
    tested = _find_tested(tensorflow, known) if tensorflow else None
    if tensorflow and tested is None:
        raise _unknown("tensorflow", tensorflow)
    if torch:
        own = [known["torch"].cuda] if "torch" in known else None
        return _choose_for_torch(torch, own, tested[0] if tested else None, tensorflow)
    if tested:
        return tested[0]
    if "jax" in frameworks:
        return known["jax"].cuda if "jax" in known else _JAX_MAJOR
    raise LockError(
        "cuda: auto stands for what the frameworks need, and no torch, tensorflow or jax is among `frameworks`",
        hint="write the CUDA version, or name the framework under `frameworks`",
        about="cuda",
    )


def _find_tested(version: str, known: Known) -> tuple[str, str | None] | None:
    built = known.get("tensorflow")
    return (built.cuda, built.cudnn) if built else find_tested_tensorflow(version)


def _choose_for_torch(torch: str, known: list[str] | None, other: str | None, tensorflow: str | None) -> str:
    build = read_build(torch)
    if known is None and build is None and "+" in torch:
        raise LockError(
            f"torch {torch} is no build for CUDA, and the spec says cuda: auto",
            hint="leave out what stands behind the +, or leave out cuda",
            about="torch",
        )
    builds = known or ([build] if build else list_torch_builds(torch))
    if not builds:
        raise _unknown("torch", torch)
    if other is None:
        return builds[0]
    major = other.split(".")[0]
    fitting = [one for one in builds if one.split(".")[0] == major]
    if fitting:
        return fitting[0]
    near = ", ".join(list_torches_for(major)) or "none that is known"
    raise LockError(
        f"torch {torch} is built for CUDA {', '.join(builds)} and tensorflow {tensorflow} for CUDA {other}: one image"
        " cannot hold both",
        hint=f"use a torch for CUDA {major} ({near}), or two specs, one for each",
        about="torch",
    )


def _unknown(name: str, version: str) -> LockError:
    return LockError(
        f"it is not known which CUDA {name} {version} goes with",
        hint=f"write the CUDA version instead of auto, or `compat: {{{name}: {{cuda: …}}}}`",
        about=name,
    )


def list_cuda_constraints(
    frameworks: Mapping[str, str], cuda: str | None, cudnn: str | None, known: Known
) -> tuple[str, ...]:
    """Return what holds the wheels of CUDA and cuDNN to these versions, whoever depends on them.

    Without it a framework that asks for a range gets the newest of everything, which nobody tried together.
    """
    if cuda is None:
        return ()
    major, _, rest = cuda.partition(".")
    # Since 13 the major version is no longer part of the names, but of cuDNN's.
    suffix = "" if int(major) >= 13 else f"-cu{major}"
    minor = ".".join(cuda.split(".")[:2])
    found = [f"nvidia-{name}{suffix}=={minor}.*" for name in _TOOLKIT] if rest else []
    if cudnn is None and "torch" not in frameworks and "tensorflow" in frameworks:
        tested = _find_tested(frameworks["tensorflow"], known)
        cudnn = tested[1] if tested and tested[0] == minor else None
    return (*found, f"nvidia-cudnn-cu{major}=={cudnn}.*") if cudnn else tuple(found)


def check_cuda(wheels: Iterable[Wheel], cuda: str | None) -> None:
    """Raise LockError where two CUDAs or two cuDNNs came together, or another CUDA than the spec's."""
    runtimes = [wheel for wheel in wheels if _RUNTIME.fullmatch(wheel.name)]
    cudnns = [wheel for wheel in wheels if _CUDNN.fullmatch(wheel.name)]
    for what, found in (("CUDA", runtimes), ("cuDNN", cudnns)):
        if len(found) > 1:
            names = " and ".join(f"{wheel.name} {wheel.version}" for wheel in found)
            raise LockError(
                f"two versions of {what} would be in one image ({names}), of which a process can load one",
                hint="write `cuda: auto` or a version that all frameworks were built for, or use two specs",
                about="cuda",
            )
    for wheel in runtimes:
        brought = ".".join(wheel.version.split(".")[:2])
        if cuda is not None and not f"{brought}.".startswith(".".join(cuda.split(".")[:2]) + "."):
            raise LockError(
                f"the packages bring CUDA {brought} ({wheel.name} {wheel.version}), and the spec says {cuda}",
                hint=f'write cuda: "{brought}", or give the spec an index with the builds for {cuda}',
                about="cuda",
            )
