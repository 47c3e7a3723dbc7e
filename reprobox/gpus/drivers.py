"""Which driver a CUDA needs. The facts, with their sources, are in ``data/compat_cuda_driver.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.version import Version

from reprobox.tables import load_table


def find_minimum_driver(cuda: str) -> str | None:
    """Say which NVIDIA driver a CUDA needs at least, by minor-version compatibility; ``None``: unknown."""
    family = load_table("compat_cuda_driver")["families"].get(f"{cuda.split('.')[0]}.x")
    if family is None:
        return None
    return str(family.get("exception", {}).get(_minor(cuda), family["min_linux_driver"]))


def find_shipped_driver(cuda: str) -> str | None:
    """Say which driver the first release of a CUDA's minor version came with; ``None``: unknown."""
    releases = {
        Version(str(row["cuda"])): str(row["shipped_linux_driver"])
        for row in load_table("compat_cuda_driver")["toolkits"]
        if _minor(str(row["cuda"])) == _minor(cuda) and row.get("shipped_linux_driver")
    }
    return releases[min(releases)] if releases else None


def is_data_centre_model(name: str) -> bool:
    """Whether a GPU, as nvidia-smi names it, is one that NVIDIA supports newer CUDAs on older drivers for."""
    return _has_word(name, "data_centre")


def is_consumer_model(name: str) -> bool:
    """Whether it is one for which NVIDIA never does; of those in between it does for some."""
    return _has_word(name, "never")


def takes_driver(cuda: str, require: str, driver: str) -> bool:
    """Whether ``cuda``'s compatibility package runs on a driver.

    ``require`` is what NVIDIA's image says of that in its environment, ``brand=tesla,driver>=535,driver<536 …``; where
    there is none the table is asked, and what the table does not have is let pass.
    """
    if require:
        spans = re.findall(r"driver>=([\d.]+),driver<([\d.]+)", require)
        return any(Version(low) <= Version(driver) < Version(high) for low, high in spans)
    branches = _load_forward()["drivers"].get(_minor(cuda))
    return branches is None or driver.split(".")[0] in branches


def _has_word(name: str, words: str) -> bool:
    return bool(set(re.split(r"[\s-]+", name)) & set(_load_forward()[words]))


def _load_forward() -> Mapping[str, Any]:
    table: Mapping[str, Any] = load_table("compat_cuda_driver")["forward_compatibility"]
    return table


def _minor(cuda: str) -> str:
    return ".".join(cuda.split(".")[:2])
