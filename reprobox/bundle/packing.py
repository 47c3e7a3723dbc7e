"""How a bundle is packed, by name: in a module of its own, since every command's start reads it."""

from __future__ import annotations

from enum import StrEnum


class Compression(StrEnum):
    """How a bundle is packed."""

    ZSTD = "zstd"
    """Docker from 23 on, Podman and skopeo load it as it is."""
    GZIP = "gzip"
    """Every engine loads it."""
    NONE = "none"
