"""The interpreters that this machine has."""

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_NAMES = tuple(f"python3.{minor}" for minor in range(6, 16))
_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"


@lru_cache(maxsize=1)
def find_pythons() -> dict[str, Path]:
    """Return one CPython per minor version: from REPROBOX_TEST_PYTHONS, PATH, pyenv, and the one that runs this."""
    found: dict[str, Path] = {}
    for path in _list_candidates():
        version = _ask_version(path)
        if version:
            found.setdefault(version, path)
    return dict(sorted(found.items(), key=lambda item: int(item[0].split(".")[1])))


def _list_candidates() -> list[Path]:
    named = [Path(part) for part in os.environ.get("REPROBOX_TEST_PYTHONS", "").split(os.pathsep) if part]
    program = shutil.which("pyenv")
    beside = Path(program).resolve().parents[1] if program else Path.home() / ".pyenv"
    pyenv = Path(os.environ.get("PYENV_ROOT") or beside) / "versions"
    in_path = [Path(found) for found in map(shutil.which, _NAMES) if found]
    return [*named, Path(sys.executable), *sorted(pyenv.glob("3.*/bin/python3")), *in_path]


def _ask_version(path: Path) -> str:
    # A pyenv shim of a version that is not switched on answers with an error.
    done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, check=False, timeout=60)
    version, _, name = done.stdout.strip().partition(" ")
    return version if done.returncode == 0 and name == "cpython" and int(version.split(".")[1]) >= 6 else ""
