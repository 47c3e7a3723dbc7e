"""Two worlds that most tests cannot see: PyTorch's own index reachable, and a company's certificate in front of all."""

import shutil

import pytest
from tunnel import Tunnel

from reprobox.blobs import BlobStore
from reprobox.errors import FetchError, LockError
from reprobox.fetch import fetch_wheels


@pytest.fixture
def world(machine, index, other_index, tmp_path):
    """Everything goes through a proxy: ``index`` plays the public index, ``other_index`` PyTorch's."""
    if not shutil.which("openssl"):
        pytest.skip("making certificates needs the openssl program")
    folder = tmp_path / "certificates"
    folder.mkdir()
    index.add("torch", "2.13.0", requires=["lib"])
    index.add("torchvision", "0.28.0", requires=["torch==2.13.0"])
    index.add("lib", "1.0")
    other_index.add("torch", "2.13.0+cpu", requires=["lib"])
    other_index.add("torchvision", "0.28.0+cpu", requires=["torch==2.13.0"])
    other_index.add("lib", "0.1")
    tunnel = Tunnel(folder, lambda host: other_index if "pytorch" in host else index)
    machine.setenv(PIP_PROXY=tunnel.url, PIP_CERT=str(tunnel.ca))
    yield tunnel
    tunnel.close()


def describe(wheels):
    return [f"{wheel.name} {wheel.version}" for wheel in wheels]


def test_the_cpu_build_comes_from_pytorchs_index_and_the_rest_from_the_public_one(machine, world, tmp_path):
    wheels = machine.lock("torch==2.13.0", "torchvision==0.28.0", backend="cpu")
    assert describe(wheels) == ["lib 1.0", "torch 2.13.0+cpu", "torchvision 0.28.0+cpu"]
    assert {wheel.index for wheel in wheels} == {""}
    assert machine.warnings == []
    found = fetch_wheels(wheels, BlobStore(tmp_path / "cache"), machine.config, machine.python)
    assert len(found) == 3


def test_a_torch_that_only_a_dependency_names_is_the_cpu_build_too(machine, world, index):
    index.add("trainer", "1.0", requires=["torch>=2"])
    assert describe(machine.lock("trainer", backend="cpu")) == ["lib 1.0", "torch 2.13.0+cpu", "trainer 1.0"]


def test_pytorchs_index_is_not_asked_for_what_a_folder_has(machine, world, other_index, tmp_path):
    from_index = machine.lock("torch==2.13.0", backend="cpu")
    folder = tmp_path / "links"
    folder.mkdir()
    name = next(file for file in other_index.files if file.startswith("torch-"))
    (folder / name).write_bytes(other_index.files[name])
    machine.setenv(PIP_FIND_LINKS=str(folder), UV_CACHE_DIR=str(tmp_path / "another-cache"))
    other_index.requests.clear()
    assert machine.lock("torch==2.13.0", backend="cpu") == from_index
    assert other_index.requests == []


def test_the_default_cuda_build_is_the_public_indexs(machine, world, other_index):
    assert describe(machine.lock("torch==2.13.0", backend="cu130")) == ["lib 1.0", "torch 2.13.0"]
    assert other_index.requests == []


def test_without_the_certificate_nothing_is_trusted(machine, world, monkeypatch, tmp_path):
    wheels = machine.lock("lib")
    monkeypatch.delenv("PIP_CERT")
    machine.setenv(UV_CACHE_DIR=str(tmp_path / "another-cache"))
    with pytest.raises(LockError, match="certificate"):
        machine.lock("lib")
    with pytest.raises(FetchError):
        fetch_wheels(wheels, BlobStore(tmp_path / "cache"), machine.config, machine.python)


def test_a_host_that_is_trusted_by_name_needs_no_certificate(machine, world, monkeypatch, tmp_path):
    monkeypatch.delenv("PIP_CERT")
    machine.setenv(PIP_INDEX_URL="https://index.example/simple", PIP_TRUSTED_HOST="index.example")
    wheels = machine.lock("lib")
    assert describe(wheels) == ["lib 1.0"]
    assert len(fetch_wheels(wheels, BlobStore(tmp_path / "cache"), machine.config, machine.python)) == 1
