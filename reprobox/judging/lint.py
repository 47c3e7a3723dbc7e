"""What in an image's configuration would act on the judge's machine, or on programs before they start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from reprobox.bundle.manifest import refuse

_HOOKS = re.compile(
    r"LD_(PRELOAD|AUDIT|LIBRARY_PATH|DEBUG.*|ORIGIN_PATH)|NVIDIA_.*|CUDA_INJECTION64_PATH|_CONTAINERS_.*"
)
"""Variables that the loader or NVIDIA's container hook acts on: a hook of the engine's may run with them, as root.

https://github.com/advisories/GHSA-mjjq-mm9m-f5gw (LD_PRELOAD in an image, CVE-2025-23266)
"""
_ALLOWED = {"NVIDIA_TF32_OVERRIDE"}
"""Read by cuBLAS and cuDNN in the program itself. https://docs.nvidia.com/cuda/cublas/"""


def find_hooks(config: bytes) -> Iterator[str]:
    """Yield what must not be in an image's configuration; raise ``BundleError`` for one that cannot be read."""
    try:
        settings = json.loads(config)["config"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise refuse("its image's configuration cannot be read") from exc
    if not isinstance(settings, Mapping):
        raise refuse("its image's configuration cannot be read")
    variables = settings.get("Env") or []
    if not isinstance(variables, list) or not all(isinstance(item, str) for item in variables):
        raise refuse("its image's configuration cannot be read")
    for item in variables:
        name = item.partition("=")[0]
        if _HOOKS.fullmatch(name) and name not in _ALLOWED:
            yield f"the variable {name[:80]}, which acts before the program does"
    for key in ("OnBuild", "Healthcheck", "Volumes", "Shell", "StopSignal", "ExposedPorts"):
        if settings.get(key):
            yield f"{key}, which no image of reprobox has"
