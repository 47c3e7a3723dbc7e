"""The C libraries of three Debian releases compute the same on old and new processors, by names that each knows."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine.engine_packages import unpack_packages

from reprobox.pins import choose_pins

from .conftest import NATIVE

pytestmark = pytest.mark.network

CODE = "import math; print([function(i / 97.3) for i in range(1, 3000) for function in (math.exp, math.sin, math.cos)])"


@dataclass(frozen=True)
class Release:
    """A Debian release's C library and Python, unpacked."""

    root: Path
    glibc: str
    qemu: Path

    def compute(self, model: str, **environ: str) -> str:
        """Run the code on a processor with the release's own loader."""
        (python,) = self.root.glob("usr/bin/python3.*")
        # Debian 13 has all libraries below /usr.
        folders = [self.root / "lib/x86_64-linux-gnu", self.root / "usr/lib/x86_64-linux-gnu"]
        (loader, *_) = [path for folder in folders for path in folder.glob("ld-*.so*") if not path.is_symlink()]
        machine = [self.qemu, "-cpu", model] if model else []
        argv = [*machine, loader, "--library-path", ":".join(map(str, folders)), python, "-S", "-c", CODE]
        environ = {"PYTHONHOME": str(self.root / "usr"), **environ}
        return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True, timeout=300).stdout


@pytest.fixture(
    scope="module",
    params=[("bullseye", "3.9", "2.31"), ("bookworm", "3.11", "2.36"), ("trixie", "3.13", "2.41")],
    ids=lambda param: param[0],
)
def release(request, qemu):
    suite, python, glibc = request.param
    names = (f"python{python}-minimal", f"libpython{python}-minimal", "libexpat1", "zlib1g")
    return Release(unpack_packages(suite, "libc6", *names), glibc, qemu)


def test_without_pins_a_processor_without_fma_computes_otherwise(release):
    assert release.compute("Haswell") != release.compute("Nehalem")


def test_with_the_baseline_all_are_the_same(release):
    pins = choose_pins("baseline", {"glibc": release.glibc})
    computed = [release.compute(model, **pins) for model in (NATIVE, "Haswell", "Nehalem", "Opteron_G5")]
    assert len(set(computed)) == 1


def test_with_avx2_nothing_is_needed(release):
    assert "GLIBC_TUNABLES" not in choose_pins("avx2", {"glibc": release.glibc})
    assert release.compute("Haswell") == release.compute("EPYC-Rome")
