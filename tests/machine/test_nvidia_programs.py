"""NVIDIA's programs are asked; here they are stand-ins that say what the real ones do."""

import time
from pathlib import Path

import pytest

from reprobox.gpus.driver import Driver, read_driver
from reprobox.gpus.slowdowns import read_slowdowns
from reprobox.gpus.toolkit import read_toolkit_version

H200 = "NVIDIA H200, 580.159.03, 143771, GPU-1f2e3d4c-0000-0000-0000-000000000000"
OLD = """case "$1" in *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2;; esac"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of this test's own: a root folder, and a PATH with nothing but the programs that are put there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    class Machine:
        root = tmp_path / "root"

        def write(self, name, text):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        def install(self, name, script, folder=programs):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

        def read(self):
            return read_driver(self.root)

    return Machine()


class TestDriver:
    def test_an_older_program_that_refuses_newer_fields_is_asked_for_less(self, machine):
        machine.install("nvidia-smi", f"{OLD}\necho '{H200}'")
        assert machine.read().gpus[0].name == "NVIDIA H200"
        assert machine.read().version == "580.159.03"

    @pytest.mark.parametrize(
        ("told", "trouble", "hint"),
        [
            ("Failed to initialize NVML: Driver/library version mismatch", "two versions", "restart"),
            (
                "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
                "kernel module is not loaded",
                "Secure Boot",
            ),
            ("No devices were found", "finds no GPU", "dmesg"),
            ("something new", "nvidia-smi failed: something new", ""),
        ],
    )
    def test_its_troubles_are_told_in_plain_words(self, machine, told, trouble, hint):
        machine.install("nvidia-smi", f'echo "{told}"; exit 9')
        found = machine.read()
        assert (found.gpus, found.present) == ((), True)
        assert trouble in found.trouble
        assert hint in found.hint

    def test_a_program_that_cannot_be_run_is_a_trouble(self, machine):
        machine.install("nvidia-smi", "")
        (machine.root.parent / "bin" / "nvidia-smi").write_bytes(b"\x7fELF nonsense")
        assert "cannot be run" in machine.read().trouble

    def test_a_program_that_does_not_answer_is_a_gpu_that_hangs(self, machine, monkeypatch):
        monkeypatch.setattr("reprobox.gpus.driver._TIMEOUT", 0.3)
        machine.install("nvidia-smi", "exec sleep 60")
        began = time.monotonic()
        found = machine.read()
        assert (found.gpus, found.present) == ((), True)
        assert (found.trouble, found.hint) == ("nvidia-smi does not answer: a GPU hangs", "restart the machine")
        assert time.monotonic() - began < 20

    def test_a_machine_without_gpu_is_none(self, machine):
        assert machine.read() == Driver((), "", "there is no NVIDIA GPU in this machine", machine.read().hint, False)

    def test_a_card_without_driver_is_seen(self, machine):
        for number, kind in (("00", "0x030200"), ("01", "0x040300")):
            machine.write(f"sys/bus/pci/devices/0000:{number}/vendor", "0x10de\n")
            machine.write(f"sys/bus/pci/devices/0000:{number}/class", f"{kind}\n")
        assert "no driver for it" in machine.read().trouble

    def test_its_sound_chip_alone_is_no_gpu(self, machine):
        machine.write("sys/bus/pci/devices/0000:01/vendor", "0x10de\n")
        machine.write("sys/bus/pci/devices/0000:01/class", "0x040300\n")
        assert not machine.read().present

    def test_a_driver_without_its_programs_is_seen(self, machine):
        machine.write("proc/driver/nvidia/version", "NVRM version: 580\n")
        assert "nvidia-smi is not here" in machine.read().trouble

    def test_wsl_has_its_driver_on_windows(self, machine):
        machine.write("proc/version", "Linux version 6.6.36-microsoft-standard-WSL2\n")
        assert "on Windows" in machine.read().hint
        machine.install("nvidia-smi", f"echo '{H200}, 9.0, [N/A], 0x0'", machine.root / "usr/lib/wsl/lib")
        assert machine.read().gpus[0].compute_capability == "9.0"


class TestSlowdowns:
    def test_a_driver_that_cannot_say_says_nothing(self, machine):
        assert read_slowdowns() == {}
        machine.install("nvidia-smi", "exit 2")
        assert read_slowdowns() == {}
        machine.install("nvidia-smi", "echo '0, [N/A], [N/A], [N/A], [N/A], [N/A]'")
        assert read_slowdowns() == {0: {}}

    def test_a_program_that_does_not_answer_says_nothing_of_them(self, machine, monkeypatch):
        monkeypatch.setattr("reprobox.gpus.slowdowns._TIMEOUT", 0.3)
        machine.install("nvidia-smi", "exec sleep 60")
        assert read_slowdowns() == {}


class TestToolkit:
    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("nvidia-ctk", "NVIDIA Container Toolkit CLI version 1.17.3\\ncommit: 16f37fc"),
            ("nvidia-container-cli", "cli-version: 1.17.3\\nlib-version: 1.17.3"),
        ],
    )
    def test_its_version_is_read(self, machine, name, told):
        assert read_toolkit_version() == ""
        machine.install(name, f"printf '{told}\\n'")
        assert read_toolkit_version() == "1.17.3"


def test_this_machine_is_looked_at_without_a_word_of_anothers():
    driver = read_driver()
    assert bool(driver.gpus) is not bool(driver.trouble)
    assert Path("/dev/nvidia0").exists() or not driver.gpus
