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
