"""The files that reprobox itself puts into an image: the runtime, its contract, the folders of a run."""

from __future__ import annotations

from pathlib import Path

from reprobox.contract import format_contract
from reprobox.layers.tar import Entry, make_dir, make_file
from reprobox.plan import Plan

RUNTIME_FOLDER = "opt/reprobox"
_SOURCES = Path(__file__).parent / "_runtime"
_OPEN_FOLDERS = ("home/reprobox", "output", "work")
"""Writable by whoever runs the container: its user is the caller, whose number nobody knows beforehand."""
_CLOSED_FOLDERS = ("input", "opt")

RuntimeFile = tuple[Entry, bytes | None]


def list_runtime_files(plan: Plan) -> tuple[RuntimeFile, ...]:
    """Return every entry of the runtime layer, sorted by path."""
    contents = {
        f"{RUNTIME_FOLDER}/entrypoint.py": (_SOURCES / "entrypoint.py").read_bytes(),
        f"{RUNTIME_FOLDER}/contract.json": format_contract(plan),
        **_package_files(),
        **{f"{folder}/reprobox.pth": (_SOURCES / "reprobox.pth").read_bytes() for folder in _site_folders(plan)},
    }
    folders = {parent for path in contents for parent in _parents(path)} | set(_CLOSED_FOLDERS) | {"home"}
    entries: list[RuntimeFile] = [
        *((make_dir(path), None) for path in folders),
        *((make_dir(path)._replace(mode=0o1777), None) for path in _OPEN_FOLDERS),
        *((make_file(path, len(data)), data) for path, data in contents.items()),
    ]
    return tuple(sorted(entries, key=lambda item: item[0].path.encode()))


def _package_files() -> dict[str, bytes]:
    package = f"{RUNTIME_FOLDER}/reprobox_runtime"
    return {
        f"{package}/{path.relative_to(_SOURCES).as_posix()}": path.read_bytes()
        for path in sorted(_SOURCES.rglob("*"))
        if path.suffix in {".py", ".json"} and path.name != "entrypoint.py"
    }


def _site_folders(plan: Plan) -> tuple[str, ...]:
    """The folders whose ``.pth`` files the venv's and the system's interpreter read."""
    venv = f"opt/venv/lib/python{plan.python.short}/site-packages"
    system = "usr/lib/python3/dist-packages" if plan.python.executable.startswith("/usr/bin/") else ""
    return (venv, system) if system else (venv,)


def _parents(path: str) -> set[str]:
    parts = path.split("/")[:-1]
    return {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
