"""The rendered context is real: plain ``docker build``, without reprobox, makes the files of the reprobox image."""

import fnmatch
import os
import subprocess

import docker
import pytest
from program import call_program
from trees import read_tree

pytestmark = pytest.mark.network

DIFFERENCES = {
    "opt/venv/bin/activate": "pip-less venv's activation scripts; the image's PATH is the activation",
    "opt/venv/bin/activate.*": "the same for other shells",
    "opt/venv/bin/Activate.ps1": "the same for PowerShell",
    "opt/venv/bin/*": "the text of console scripts: pip writes others than the installer library",
    "opt/venv/lib/*/RECORD": "pip lists its own bytecode and metadata",
    "opt/venv/lib/*/INSTALLER": "who installed it",
    "opt/venv/lib/*/REQUESTED": "pip marks what was named on its command line",
}
"""Glob of the image's paths -> why the two may differ there; nothing else may."""
ENGINES_OWN = {".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "dev", "proc", "sys"}
"""What every engine puts over an image's files when it makes a container."""


@pytest.fixture(scope="module")
def project(make_project, fresh_lock, tmp_path_factory):
    """A project with everything that makes files: packages with scripts and data, a Debian package, a step, source."""
    folder = make_project(
        "parity",
        "packages: [numpy==2.4.6, tqdm==4.67.1, markdown-it-py==4.0.0]",
        "system: [hello]",
        "run: ['mkdir -p /opt/extra && echo made > /opt/extra/by-a-step']",
    )
    (folder / "tool.sh").write_text("#!/bin/sh\necho hi\n")
    (folder / "tool.sh").chmod(0o700)
    (folder / "link").symlink_to("tool.sh")
    built = fresh_lock(folder)
    context = tmp_path_factory.mktemp("context") / "context"
    call_program("render", folder, "-o", context)
    return built["tag"], context


@pytest.fixture(scope="module")
def ours(project):
    return read_tree(docker.APIClient(), project[0])


def test_the_classic_builder_makes_the_same_files(project, ours):
    client = docker.APIClient(timeout=600)
    tag = "reprobox-test-parity:classic"
    lines = [*client.build(path=str(project[1]), tag=tag, rm=True, forcerm=True, decode=True, network_mode="none")]
    assert not [line["error"] for line in lines if "error" in line], lines[-3:]
    try:
        compare(ours, read_tree(client, tag))
    finally:
        client.remove_image(tag, force=True)


def test_buildkit_makes_the_same_files(project, ours, daemons):
    daemon, _ = daemons("docker-26.1-graph")
    tag = "reprobox-test-parity:buildkit"
    argv = ["docker", "buildx", "build", "--network=none", "--load", "-t", tag, str(project[1])]
    subprocess.run(argv, check=True, env={**os.environ, **daemon.environ}, timeout=900, capture_output=True)
    client = docker.APIClient(base_url=daemon.host, timeout=600)
    compare(ours, read_tree(client, tag))


def compare(ours, theirs):
    """Fail with the list of paths that differ and are not allowed to."""
    different = {path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)}
    unexplained = sorted(path for path in different if not is_allowed(path))
    shown = "\n".join(f"{path}: {ours.get(path)} / {theirs.get(path)}" for path in unexplained[:20])
    assert not unexplained, f"{len(unexplained)} paths differ (ours / theirs):\n{shown}"


def is_allowed(path):
    top = path.split("/")[0]
    return path in ENGINES_OWN or top in ENGINES_OWN or any(fnmatch.fnmatch(path, one) for one in DIFFERENCES)


def test_the_two_agree_on_what_can_be_imported(ours):
    assert "opt/venv/lib/python3.11/site-packages/numpy/__init__.py" in ours
    assert "opt/venv/lib/python3.11/site-packages/numpy/__pycache__/__init__.cpython-311.pyc" in ours
    assert ours["opt/extra/by-a-step"].sha256
    assert "usr/bin/hello" in ours
    assert ours["work/tool.sh"].mode == 0o755
