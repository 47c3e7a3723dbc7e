"""uv's refusals in the words of someone who wrote a spec."""

from __future__ import annotations

import re

from reprobox.errors import LockError
from reprobox.uv import PythonConfig, Question


def explain_refusal(message: str, question: Question, config: PythonConfig, dropped: tuple[str, ...]) -> LockError:
    """Make one clear error of uv's ``message``; ``dropped`` are indexes that could not be reached."""
    text = _compact(message)
    if dropped:
        text += f"\n  besides, these could not be reached: {', '.join(dropped)}"
    return LockError(f"the packages cannot be resolved: {text}", hint="change the versions in the spec")


def _compact(message: str) -> str:
    lines = [re.sub(r"^(error|cause|hint|warning): ", "", line.strip()) for line in message.splitlines()]
    return "\n  ".join(line for line in lines if line)
