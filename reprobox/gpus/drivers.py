"""Which driver a CUDA needs. The facts, with their sources, are in ``data/compat_cuda_driver.yaml``."""

from __future__ import annotations

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


def _minor(cuda: str) -> str:
    return ".".join(cuda.split(".")[:2])
