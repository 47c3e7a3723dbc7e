"""What was found by looking at the machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    status: Status
    detail: str
    hint: str = ""
