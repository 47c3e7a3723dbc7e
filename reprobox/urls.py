"""What the host and the port in a URL can be."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[^.\s]{0,63}(\.[^.\s]{1,63})*\.?")
"""The parts of a name are neither empty nor longer than DNS has them."""


def is_usable_url(url: str) -> bool:
    """Whether somebody could be asked at ``url``; a path, which names no host, passes."""
    try:
        parts = urlsplit(url)
        return parts.port != 0 and _HOST.fullmatch(parts.hostname or "") is not None
    except ValueError:
        return False
