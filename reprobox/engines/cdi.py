"""Devices that CDI files describe: how newer engines hand GPUs to containers.

https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

GPU_KIND = "nvidia.com/gpu"
FOLDERS = ("/etc/cdi", "/var/run/cdi")
"""Where engines look unless they are told otherwise."""
_LARGEST = 8 * 2**20


def list_cdi_devices(folders: Iterable[str], kind: str = GPU_KIND) -> tuple[str, ...]:
    """Return the full names ("nvidia.com/gpu=0") of a kind's devices, each once.

    Files that cannot be read are passed over, as engines do.
    """
    names = [name for folder in folders for path in _list_files(Path(folder)) for name in _read_names(path, kind)]
    return tuple(dict.fromkeys(names))


def _list_files(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml", ".json"))
    return []


def _read_names(path: Path, kind: str) -> Iterator[str]:
    data = _parse(path)
    devices = data.get("devices") if isinstance(data, dict) and data.get("kind") == kind else None
    for device in devices if isinstance(devices, list) else ():
        if isinstance(device, dict) and isinstance(device.get("name"), str | int):
            yield f"{kind}={device['name']}"


def _parse(path: Path) -> Any:  # noqa: ANN401 — whatever the file holds
    import yaml  # late: only machines with such files need it

    try:
        if path.stat().st_size > _LARGEST:
            return None
        text = path.read_text("utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
