"""Debian packages of any suite, unpacked beside the machine's own, from the mirror this machine already uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("REPROBOX_TEST_CACHE", REPOSITORY / ".cache"))
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def why_not() -> str:
    """Say why private engines cannot be had on this machine; "" where they can."""
    if os.geteuid() != 0:
        return "private engines need root"
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        return "private engines are made from Debian's packages"
    return "" if _find_mirror() else "no Debian archive is among apt's sources"


def unpack_packages(suite: str, *names: str, only: str = "") -> Path:
    """Return a folder that holds the files of the packages, or ``only`` one of them, downloaded once."""
    target = CACHE / "engines" / f"{suite}-{'-'.join(names)}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as made:
            debs = Path(made, "debs")
            root = Path(made, "root")
            debs.mkdir()
            root.mkdir()
            _download(suite, names, Path(made), debs)
            for deb in sorted(debs.glob("*.deb")):
                _unpack(deb, root, only)
            root.rename(target)
    return target


def _unpack(deb: Path, root: Path, only: str) -> None:
    argv = ["tar", "-x", "-C", root, *([f"./{only}"] if only else [])]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as files:
        subprocess.run(argv, stdin=files.stdout, check=True, timeout=120)
    assert files.returncode == 0, f"{deb.name} is damaged"


def install_packages(*names: str) -> None:
    """Install packages of the machine's own suite."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Another test may be installing something.
    argv = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "-qq", "--no-install-recommends", *names]
    if subprocess.run(argv, env=environ, capture_output=True, timeout=600, check=False).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300)
        subprocess.run(argv, env=environ, check=True, timeout=600)


def _download(suite: str, names: tuple[str, ...], folder: Path, debs: Path) -> None:
    """Let apt choose and check the files, with a configuration and a memory of its own."""
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {_find_mirror()} {suite} main\n")
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State": folder / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    options = [f"-o{key}={value}" for key, value in settings.items()]
    subprocess.run(["apt-get", *options, "update", "-qq"], check=True, timeout=300)
    subprocess.run(["apt-get", *options, "download", "-qq", *names], check=True, timeout=600, cwd=debs)


def _find_mirror() -> str:
    """Return the address of the Debian archive in apt's own sources."""
    template = "$(REPO_URI) $(COMPONENT) $(ORIGIN)"
    argv = ["apt-get", "indextargets", "--format", template, "Created-By: Packages"]
    listed = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()
    rows = [line.split() for line in listed]
    mirrors = [row[0] for row in rows if row[1:2] == ["main"] and row[0].rstrip("/").endswith("/debian")]
    return mirrors[0] if mirrors else ""
