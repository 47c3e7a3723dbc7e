"""Processors that this machine has not: qemu's models of them, from Debian's archive."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from engine.engine_packages import unpack_packages, why_not
from runtime.pythons import find_pythons
from runtime.venvs import install_venv

from reprobox.host import read_cpu
from reprobox.plan import decide_variables
from reprobox.spec.load import parse_spec

WORKLOADS = Path(__file__).parent / "workloads"
NATIVE = ""
"""As a processor's name: this machine's own."""


@dataclass(frozen=True)
class Packages:
    """A Python and a folder of packages."""

    python: Path
    folder: Path

    def list_versions(self) -> Mapping[str, str]:
        """Return what a lock with these packages would say, and the C library's version."""
        named = [path.name.removesuffix(".dist-info").rpartition("-") for path in self.folder.glob("*.dist-info")]
        versions = {name.lower().replace("_", "-"): version for name, _, version in named}
        return {**versions, "glibc": os.confstr("CS_GNU_LIBC_VERSION").split()[1]}

    def make_environment(self, determinism: str) -> dict[str, str]:
        """Return the variables that a spec with this ``determinism`` gives an image with these packages."""
        text = f"reprobox: 1\nname: x\nseed: 32\ncommand: x\ndeterminism: {determinism}\n"
        return decide_variables(parse_spec(text, "spec.yaml", None), self.list_versions())

    def run(self, code: str, determinism: str, *machine: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run code on a machine: a command that is put in front."""
        environ = {"PATH": os.defpath, "HOME": "/tmp", "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environ |= {**self.make_environment(determinism), **more}
        # Without site: the hook that other tests leave in such a folder is no part of this.
        argv = [*machine, str(self.python), "-S", "-c", code]
        return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=600)

    def compute(self, code: str, determinism: str, *machine: str, **more: str) -> str:
        """Return what the code prints."""
        done = self.run(code, determinism, *machine, **more)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


@dataclass(frozen=True)
class Bench:
    """A workload that any processor can be given."""

    packages: Packages
    qemu: Path
    workload: str

    def compute(self, determinism: str, model: str) -> dict[str, str]:
        """Return the workload's digests as this processor computes them at this level."""
        return _compute(self, determinism, model)


@cache
def _compute(bench: Bench, determinism: str, model: str) -> dict[str, str]:
    machine = [str(bench.qemu), "-cpu", model] if model else []
    return json.loads(bench.packages.compute((WORKLOADS / bench.workload).read_text(), determinism, *machine))


@pytest.fixture(scope="session")
def have_packages():
    """A function: Python version, requirements -> the packages; skips where there is no such Python."""

    def have(version: str, *requirements: str) -> Packages:
        python = install_venv(version, requirements)
        (folder,) = python.parent.parent.glob("lib/python3.*/site-packages")
        return Packages(find_pythons()[version], folder)

    return have


@pytest.fixture(scope="session")
def qemu():
    """qemu's user-mode emulator of x86-64."""
    reason = why_not()
    if reason:
        pytest.skip(f"qemu's models of processors come from Debian's archive, and here {reason}")
    path = "usr/bin/qemu-x86_64-static"
    return unpack_packages("bookworm", "qemu-user-static", only=path) / path


def describe_processor() -> tuple[frozenset[str], bool]:
    """Return this machine's features, and whether it is one of Intel's."""
    text = Path("/proc/cpuinfo").read_text()
    return frozenset(read_cpu(text)[1]), bool(re.search(r"^vendor_id\s*: GenuineIntel$", text, re.MULTILINE))
