"""What the outside world gives a command, read once: nothing below reads it for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reprobox.reporting import Reporter


@dataclass(frozen=True)
class Settings:
    """Everything about the caller and this machine that a command depends on."""

    cache: Path
    home: Path
    environ: Mapping[str, str]
    caller: tuple[int, int]
    """uid and gid."""
    reporter: Reporter
    now: Callable[[], datetime]
    engine: str = ""
    """"local": runs take place without a container; empty: in the container engine of this environment."""
    python: str = ""
    """The interpreter of runs without a container; empty: one that has the lock's packages is made."""
