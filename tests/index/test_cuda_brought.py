"""A CUDA that a spec asks for and nothing brings: uv takes an extra that a version lacks for none."""

import os
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from reprobox.errors import LockError
from reprobox.layers.model import LAYER_FORMAT
from reprobox.lock import ArchiveBase, ImageBase, Lock, spec_keys
from reprobox.locking import resolve_spec
from reprobox.settings import Settings
from reprobox.spec.load import parse_spec

HEAD = "reprobox: 1\nname: x\nseed: 1\ncommand: x\n"
PLAIN = ArchiveBase("root.tar", "0" * 64)
NVIDIA = ImageBase("nvidia/cuda:11.8.0-base-ubuntu22.04", "sha256:" + "0" * 64, (), ("CUDA_VERSION=11.8.0",))


@pytest.fixture
def lock(machine, index, tmp_path):
    """A function: lines of a spec, a base that is locked already -> the lock, with packages of this index."""
    for name, version in (("jax", "0.10.1"), ("tensorflow", "2.13.1"), ("numpy", "2.4.6"), ("pip", "26.0")):
        index.add(name, version)
    machine.setenv(PIP_INDEX_URL=index.simple)
    reporter = SimpleNamespace(warn=machine.warnings.append, start_task=lambda *_: None, end_task=lambda _: None)
    settings = Settings(
        tmp_path / "cache", machine.home, os.environ, (0, 0), reporter, lambda: datetime(2026, 11, 21, tzinfo=UTC)
    )

    def lock(lines, base=PLAIN, before=None):
        spec = parse_spec(HEAD + lines, "spec.yaml", None)
        old = Lock(
            "1", LAYER_FORMAT, "", spec_keys(parse_spec(HEAD, "spec.yaml", None), None), base, machine.python, (), ()
        )
        return resolve_spec(spec, tmp_path, before or old, settings, lambda: None, requirement_text=None)

    return lock


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('frameworks: {jax: 0.10.1}\ncuda: "99.9"\n', "nothing in this spec brings CUDA 99.9: jax 0.10.1 has no extra"),
        ("frameworks: {tensorflow: 2.13.1}\ncuda: auto\n", "nothing in this spec brings CUDA 11.8: tensorflow 2.13.1"),
        ('frameworks: {numpy: 2.4.6}\ncuda: "12.8"\n', "nothing in this spec brings CUDA 12.8: no torch"),
    ],
)
def test_it_is_refused_with_what_would_bring_one(lock, lines, said):
    with pytest.raises(LockError, match=said) as caught:
        lock(lines)
    assert (caught.value.about, bool(caught.value.hint)) == ("cuda", True)


def test_the_base_image_s_will_do(lock):
    made = lock("frameworks: {tensorflow: 2.13.1}\ncuda: auto\n", NVIDIA)
    assert [wheel.name for wheel in made.wheels] == ["pip", "tensorflow"]


def test_it_is_looked_at_again_where_the_base_alone_has_changed(lock):
    lines = "frameworks: {tensorflow: 2.13.1}\ncuda: auto\n"
    made = lock(lines, NVIDIA)
    with pytest.raises(LockError, match=r"nothing in this spec brings CUDA 11\.8"):
        lock(lines, before=Lock(**{**vars(made), "base": PLAIN}))
