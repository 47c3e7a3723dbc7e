"""A layer as data, and the constants every layer shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LAYER_FORMAT = 2
"""Raised whenever the same inputs would make other bytes; it is part of every lock."""
EPOCH = 315_532_800
"""1980-01-01T00:00:00Z, the time of every entry: the earliest a zip file can hold."""


@dataclass(frozen=True)
class Layer:
    """One finished layer."""

    diff_id: str
    """"sha256:…" of the uncompressed tar."""
    size: int
    """Bytes of the tar."""
    what: str
    """For people: "base", "torch 2.13.0", "27 packages", "source"."""
    path: Path
    """The tar, in the layer cache."""
    cached: bool
    """Whether it was there before this build."""
