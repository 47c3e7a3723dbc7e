"""What the doctor makes of a machine."""

import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from reprobox import doctor
from reprobox.doctor import describe_local, examine, hide_password
from reprobox.engines.base import GpuAccess, StoreKind
from reprobox.engines.fake import FakeEngine
from reprobox.errors import EngineError
from reprobox.findings import Status
from reprobox.gpus.driver import Driver
from reprobox.host import count_processors, find_file_system, read_cpu, read_storage
from reprobox.records import Gpu, Host

HOST = Host("Linux 6", "x86_64", "A CPU", ("avx2", "sse4_2"), 2, 8 * 10**9, ())
INFO = FakeEngine().info()


class _Answers:
    def __init__(self, info):
        self._info = info

    def info(self):
        return self._info


NO_GPU = Driver((), trouble="there is no NVIDIA GPU in this machine", present=False)


def find(name, tmp_path, info=INFO, host=HOST, environ=None, driver=NO_GPU, toolkit=""):
    findings, _ = examine(lambda: _Answers(info), host, driver, toolkit, tmp_path, environ or {})
    return next(found for found in findings if found.name == name)


def test_no_engine_is_a_failure_with_its_hint(tmp_path):
    def refuse():
        raise EngineError("no engine answers", hint="start it")

    findings, info = examine(refuse, HOST, NO_GPU, "", tmp_path, {})
    assert info is None
    assert (findings[0].status, findings[0].hint) == (Status.FAILED, "start it")


def test_the_store_kind_is_explained(tmp_path):
    assert "image digest" in find("image store", tmp_path).detail
    assert "manifest digest" in find("image store", tmp_path, replace(INFO, store=StoreKind.CONTAINERD)).detail


def test_a_remote_engine_is_a_warning(tmp_path):
    assert find("engine's place", tmp_path, replace(INFO, local=False)).status is Status.WARNING


@pytest.mark.parametrize(
    ("free", "status", "words"),
    [(20 * 10**9, Status.OK, "20.0 GB free"), (9 * 10**9, Status.WARNING, "9.0 GB free")],
)
def test_a_disk_that_is_too_full_for_an_image_is_a_warning(tmp_path, monkeypatch, free, status, words):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    for name in ("cache", "engine data"):
        found = find(name, tmp_path / "not" / "yet", replace(INFO, root=str(tmp_path), local=True))
        assert (found.status, found.detail.endswith(words)) == (status, True)
        assert ("needs about 10.0 GB" in found.hint) == (status is Status.WARNING)


def test_a_cache_that_cannot_be_written_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda folder, mode: False)
    found = find("cache", tmp_path)
    assert (found.status, found.detail) == (Status.FAILED, f"{tmp_path} cannot be written")
    assert "REPROBOX_CACHE" in found.hint


@pytest.mark.parametrize(
    ("flags", "widest"), [(("avx2", "sse4_2"), "avx2"), (("avx2", "avx512f"), "avx512f"), ((), "no vector flags seen")]
)
def test_the_cpu_is_described_by_its_widest_vectors(tmp_path, flags, widest):
    found = find("CPU", tmp_path, host=replace(HOST, cpu_flags=flags))
    assert found.detail == f"A CPU, 2 usable, {widest}, 8.0 GB memory"


def test_limits_that_are_not_held_are_a_warning(tmp_path):
    assert find("limits", tmp_path, replace(INFO, holds_limits=False)).status is Status.WARNING
    with pytest.raises(StopIteration):
        find("limits", tmp_path)


def test_a_gpu_that_the_engine_cannot_hand_on_is_a_warning(tmp_path):
    driver = Driver((Gpu("A100", "580.1", 1),), "580.1")
    assert "A100; driver 580.1" in find("GPU", tmp_path, driver=driver).detail
    found = find("GPU access", tmp_path, driver=driver)
    assert (found.status, "nvidia-ctk runtime configure" in found.hint) == (Status.WARNING, True)
    with pytest.raises(StopIteration):
        find("GPU access", tmp_path, replace(INFO, gpu_access=GpuAccess.HOOK), driver=driver)


def test_no_gpu_is_no_failure_and_one_that_does_not_work_is_a_warning(tmp_path):
    assert find("GPU", tmp_path).status is Status.OK
    broken = Driver((), trouble="its kernel module is not loaded", hint="load it")
    assert find("GPU", tmp_path, driver=broken).status is Status.WARNING


def test_runs_without_a_container_are_possible_or_not():
    assert describe_local(("user", "mount", "pid")).status is Status.OK
    found = describe_local(())
    assert (found.status, "max_user_namespaces" in found.hint) == (Status.WARNING, True)


def test_known_holes_of_the_container_toolkit_are_named(tmp_path):
    driver = Driver((Gpu("A100", "580.1", 1),), "580.1")
    hooked = replace(INFO, gpu_access=GpuAccess.HOOK)
    found = find("GPU toolkit", tmp_path, hooked, driver=driver, toolkit="1.17.3")
    assert ("CVE-2025-23359" in found.detail, "CVE-2024-0132" in found.detail) == (True, False)
    assert "1.19.1 or newer" in found.hint
    with pytest.raises(StopIteration):
        find("GPU toolkit", tmp_path, hooked, driver=driver, toolkit="1.19.1")


def test_a_proxys_password_is_not_shown(tmp_path):
    found = find("proxy", tmp_path, environ={"HTTPS_PROXY": "http://me:secret@proxy.example:3128"})
    assert "secret" not in found.detail
    assert "proxy.example:3128" in found.detail


@pytest.mark.parametrize("url", ["http://proxy.example:3128", "proxy.example", ""])
def test_a_url_without_password_is_shown_as_it_is(url):
    assert hide_password(url) == url


def test_a_certificate_file_that_is_not_there_fails(tmp_path):
    found = find("certificates", tmp_path, environ={"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    assert found.status is Status.FAILED
    assert "SSL_CERT_FILE" in found.hint


@pytest.mark.parametrize("text", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_certificate_file_without_certificates_fails(tmp_path, text):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(text)
    found = find("certificates", tmp_path, environ={"PIP_CERT": str(bundle)})
    assert found.status is Status.FAILED
    assert f"PIP_CERT names {bundle}, which cannot be used" in found.detail


def test_a_folder_of_certificates_is_taken_as_it_is(tmp_path):
    assert find("certificates", tmp_path, environ={"SSL_CERT_FILE": str(tmp_path)}).status is Status.OK


def test_the_cpu_is_read_from_the_kernels_text():
    text = "processor : 0\nmodel name\t: Some CPU @ 2GHz\nflags\t\t: sse avx2 fma\n\nmodel name : other\n"
    assert read_cpu(text) == ("Some CPU @ 2GHz", ("avx2", "fma", "sse"))


def test_processor_packages_are_counted_where_the_kernel_names_them():
    lines = [f"processor : {at}\nphysical id\t: {at % 2}\ncore id : {at // 2}\n" for at in range(8)]
    assert count_processors("\n".join(lines)) == 2
    assert count_processors("processor : 0\nmodel name : A\n") == 0


def test_a_file_system_is_found_by_its_device():
    text = "22 1 0:21 / / rw - overlay overlay rw\n36 22 8:3 / /data rw,noatime master:1 - ext4 /dev/sda3 rw\n"
    assert find_file_system(text, "8:3") == "ext4"
    assert find_file_system(text, "8:4") == ""


@pytest.mark.parametrize(
    ("disk", "rotational", "kind"),
    [("nvme0n1", "0", "NVMe SSD"), ("sda", "0", "SSD"), ("sda", "1", "hard disk"), ("vda", "1", "virtual disk")],
)
def test_the_disk_below_a_folder_is_named_by_what_the_kernel_says_of_it(tmp_path, disk, rotational, kind):
    number = f"{os.major(tmp_path.stat().st_dev)}:{os.minor(tmp_path.stat().st_dev)}"
    for folder in (tmp_path / "sys/devices" / disk, tmp_path / "sys/devices" / disk / f"{disk}1"):
        folder.mkdir(parents=True)
    (tmp_path / "sys/devices" / disk / "queue").mkdir()
    (tmp_path / "sys/devices" / disk / "queue/rotational").write_text(f"{rotational}\n")
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    (tmp_path / "sys/dev/block" / number).symlink_to(tmp_path / "sys/devices" / disk / f"{disk}1")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(f"22 1 {number} / / rw - xfs /dev/x rw\n")
    found = read_storage(tmp_path / "not" / "there" / "yet", tmp_path)
    assert (found.kind, found.file_system) == (kind, "xfs")
    assert found.capacity == shutil.disk_usage(tmp_path).total
