"""Whether the kernels in a framework's wheel are for a GPU: asked of the framework in the image, once a wheel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from reprobox.engines.base import ContainerSpec, Fence, Runner
from reprobox.files import write_atomic
from reprobox.findings import Finding, Status
from reprobox.records import Gpu

_ASK = {
    # https://github.com/pytorch/pytorch/blob/v2.13.0/torch/cuda/__init__.py (get_arch_list): this needs no GPU
    "torch": "import torch; found = torch._C._cuda_getArchFlags().split()",
    # https://www.tensorflow.org/api_docs/python/tf/sysconfig/get_build_info
    "tensorflow": "import tensorflow; found = list(tensorflow.sysconfig.get_build_info()['cuda_compute_capabilities'])",
}
FRAMEWORKS = tuple(_ASK)
"""Those whose wheels hold kernels for some GPUs; JAX compiles its own for the one there is."""
_TIMEOUT = 300
_LONGEST = 2**20
"""Bytes of an answer."""
_ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


def read_kernels(
    framework: str, wheel: str, image: str, engine: Runner, cache: Path, fence: Fence | None = None
) -> tuple[str, ...]:
    """Return the architectures of a framework's kernels, "sm_90" and "compute_90"; nothing where it does not say.

    ``wheel`` is the sha256 of its wheel, by which the answer is kept in ``cache``; empty: it is asked each time.
    With a ``fence`` the image is a stranger's, whose answer nobody else is to get.
    """
    path = cache / "kernels" / f"{wheel}.json"
    with suppress(OSError, ValueError, TypeError):
        return tuple(str(one) for one in json.loads(path.read_bytes()))
    output = bytearray()

    def take(stream: str, data: bytes) -> None:
        if stream == "stdout" and len(output) < _LONGEST:
            output.extend(data)

    code = f"import json\n{_ASK[framework]}\nprint(json.dumps(found))"
    spec = ContainerSpec(
        image, argv=("/opt/venv/bin/python", "-c", code), entrypoint=(), timeout=_TIMEOUT, capabilities=(), fence=fence
    )
    result = engine.run_container(spec, take)
    try:
        found = tuple(str(one) for one in json.loads(output.splitlines()[-1]))
    except (ValueError, TypeError, IndexError, RecursionError):
        return ()
    if wheel and fence is None and result.exit_code == 0 and found:
        write_atomic(path, json.dumps(found))
    return found


def check_kernels(gpus: Sequence[Gpu], framework: str, kernels: Sequence[str]) -> Iterator[Finding]:
    """Yield each GPU that a framework has no kernels for, or only such as are compiled when they are first used.

    Kernels run on the same major capability from their own minor one on, PTX on anything newer:
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#binary-compatibility
    """
    known = [match for one in kernels if (match := _ARCHITECTURE.fullmatch(one))]
    if not known:
        return
    for gpu in gpus:
        if not gpu.compute_capability:
            continue
        major, minor = (int(part) for part in gpu.compute_capability.split("."))
        made = [(int(one[2]), int(one[3]), one[4]) for one in known if one[1] == "sm"]
        if any(one == major and (least <= minor if not exact else least == minor) for one, least, exact in made):
            continue
        named = f"{gpu.name} has compute capability {gpu.compute_capability}, and {framework} has kernels for"
        theirs = ", ".join(dict.fromkeys(f"{one}.{least}" for one, least, _ in sorted(made)))
        if any(one[1] == "compute" and (int(one[2]), int(one[3])) <= (major, minor) for one in known):
            detail = f"{named} {theirs}: the driver compiles others when they are first used, which takes minutes"
            yield Finding("kernels", Status.WARNING, detail, f"take a newer {framework} if there is one")
        else:
            detail = f"{named} {theirs} only: nothing of it would run"
            yield Finding("kernels", Status.FAILED, detail, f"take a {framework} that was built for this GPU")
