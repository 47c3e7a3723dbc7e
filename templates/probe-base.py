"""Run inside a base image by its own interpreter: says which it is, and what the image is made of, as JSON."""

import json
import os
import platform
import sys


def read_text(path: str) -> str:
    """Return a file's text, empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123 - old interpreters too
            return stream.read()
    except OSError:
        return ""


def name_libc() -> str:
    """Return "glibc 2.36", or nothing for another C library."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ""


libc = name_libc()
system = dict(line.strip().split("=", 1) for line in read_text("/etc/os-release").splitlines() if "=" in line)
json.dump(
    {
        "version": ".".join(map(str, sys.version_info[:3])),
        "executable": os.path.realpath(sys.executable),
        "glibc": libc.split()[1] if libc.startswith("glibc ") else "",
        "libc": libc or "another C library",
        "machine": platform.machine(),
        "suite": system.get("VERSION_CODENAME", "").strip('"') if system.get("ID", "").strip('"') == "debian" else "",
        "status": read_text("/var/lib/dpkg/status"),
    },
    sys.stdout,
)
