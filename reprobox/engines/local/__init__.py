"""Runs without a container: a lock's packages and the runtime on this machine's own system."""

from reprobox.engines.local.engine import LocalEngine, LocalImage

__all__ = ["LocalEngine", "LocalImage"]
