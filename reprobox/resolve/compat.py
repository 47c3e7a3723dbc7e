"""What torch and TensorFlow were ever built for: Pythons, CUDAs, cuDNNs."""

from __future__ import annotations


def find_default_torch_build(version: str) -> str | None:
    """Say which build the public index serves for a version without a local part ("cu130"); ``None``: unknown."""
    return None
