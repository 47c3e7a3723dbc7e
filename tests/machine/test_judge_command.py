"""`reprobox judge` from its command line on, with OpenSSH's and NVIDIA's programs; the engine is one in memory."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from made_bundles import make_bundle

from reprobox.bundle.signature import sign
from reprobox.cli import app
from reprobox.engines.base import GpuAccess
from reprobox.engines.fake import _INFO, FakeEngine

SMI = "echo 'NVIDIA H200, 580.159.03, 143771, GPU-1f2e3d4c-0000-0000-0000-000000000000, 9.0, [N/A], 0x0'"


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """A function: a bundle and options -> exit code, all that was said, and the folder of the judgement."""
    engine = FakeEngine()
    monkeypatch.setattr("reprobox.handover.connect", lambda environ: engine)
    monkeypatch.setenv("REPROBOX_CACHE", str(tmp_path / "cache"))

    def call(bundle, *options):
        out = tmp_path / "judgements"
        done = CliRunner().invoke(app, ["judge", "-o", str(out), *map(str, options), str(bundle)])
        assert "Traceback" not in done.output, done.output
        return done.exit_code, done.output, out / bundle.stem

    call.engine = engine
    return call


def read_signer(folder):
    return json.loads((folder / "judgement.json").read_text())["signer"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH's client is not installed")
class TestSigners:
    @pytest.fixture
    def keys(self, tmp_path):
        """Two keys, and a file that allows the first."""
        folder = tmp_path / "keys"
        folder.mkdir()
        for name in ("mine", "other"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
            subprocess.run(argv, check=True, timeout=60)
        (folder / "allowed").write_text(f"contestant@example.org {(folder / 'mine.pub').read_text()}")
        return folder

    def test_an_entry_of_an_allowed_signer_is_judged_and_its_signer_named(self, judge, keys, tmp_path):
        bundle = make_bundle(tmp_path / "made", key=lambda text: sign(text, keys / "mine"))
        code, said, folder = judge(bundle, "--allowed-signers", keys / "allowed")
        assert code != 8, said
        assert "signed by contestant@example.org" in said
        assert read_signer(folder) == "contestant@example.org"

    @pytest.mark.parametrize(("signer", "words"), [("other", "of nobody in"), (None, "is not signed")])
    def test_another_s_entry_is_refused_before_anything_of_it_is_unpacked(self, judge, keys, tmp_path, signer, words):
        key = (lambda text: sign(text, keys / signer)) if signer else None
        bundle = make_bundle(tmp_path / "made", key=key)
        code, said, folder = judge(bundle, "--allowed-signers", keys / "allowed")
        assert code == 8, said
        assert words in said
        assert not folder.exists()
        assert judge.engine.names == ()
        assert judge(bundle)[0] != 8


class TestGpus:
    @pytest.fixture
    def machine(self, tmp_path, monkeypatch):
        """A function that makes this a machine with a GPU and a toolkit of some version."""
        programs = tmp_path / "bin"
        programs.mkdir()
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setattr("reprobox.engines.fake._INFO", replace(_INFO, gpu_access=GpuAccess.HOOK))

        def install(version):
            for name, script in (("nvidia-smi", SMI), ("nvidia-ctk", f"echo 'NVIDIA Container Toolkit {version}'")):
                (programs / name).write_text(f"#!/bin/sh\n{script}\n")
                (programs / name).chmod(0o755)

        return install

    @pytest.mark.parametrize(
        ("version", "hole"),
        [
            ("CLI version 1.16.1", "CVE-2024-0132"),
            ("CLI version 1.17.3", "CVE-2025-23359"),
            ("CLI version 1.17.7", "CVE-2025-23266"),
        ],
    )
    def test_a_toolkit_with_known_holes_gets_no_stranger_s_image(self, judge, machine, tmp_path, version, hole):
        machine(version)
        code, said, folder = judge(make_bundle(tmp_path / "made"), "--gpu", "0")
        assert code == 5, said
        assert hole in said
        assert "before you run an image that is not yours" in said
        assert not (folder / "runs").exists()
        assert not (folder / "judgement.json").exists()

    def test_one_without_known_holes_does(self, judge, machine, tmp_path):
        machine("CLI version 99.0.0")
        code, said, folder = judge(make_bundle(tmp_path / "made"), "--gpu", "0")
        assert code != 5, said
        assert list((folder / "runs").iterdir())

    def test_without_gpus_nobody_asks_for_the_toolkit(self, judge, machine, tmp_path):
        machine("CLI version 1.16.1")
        code, said, _ = judge(make_bundle(tmp_path / "made"))
        assert code != 5, said
