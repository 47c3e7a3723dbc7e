"""The rendered context is real: plain ``docker build``, without reprobox, makes the files of the reprobox image."""

import fnmatch
import os
import subprocess

import docker
import pytest
from caches import list_files
from program import PROGRAM, call_program
from trees import read_tree

from reprobox.errors import UsageError

pytestmark = [pytest.mark.network, pytest.mark.long]

TEXTS = {
    "opt/venv/lib/*.dist-info/RECORD": "pip lists its own bytecode and metadata",
    "opt/venv/lib/*.dist-info/INSTALLER": "who installed it",
}
"""Glob of the image's paths -> why the text of a file may differ there; never its kind, mode, owner or presence."""
THEIRS_ONLY = {
    "opt/venv/bin/activate": "a venv's activation script; the image's PATH is the activation",
    "opt/venv/bin/activate.csh": "the same for another shell",
    "opt/venv/bin/activate.fish": "the same for another shell",
    "opt/venv/bin/Activate.ps1": "the same for PowerShell",
    "opt/venv/bin/pip3.11": "pip adds it to the scripts that its wheel declares",
    "opt/venv/lib/*.dist-info/REQUESTED": "pip marks what was named on its command line",
}
"""Glob of the image's paths -> why only a plain ``docker build`` may have them."""
ENGINES_OWN = {".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "dev", "proc", "sys"}
"""What every engine puts over an image's files when it makes a container."""


@pytest.fixture(scope="module")
def project(make_project, fresh_lock, tmp_path_factory):
    """A project with everything that makes files: packages with scripts and data, one of them built from its archive, a
    Debian package, a step, source."""
    folder = make_project(
        "parity",
        "packages: {list: [numpy==2.4.6, tqdm==4.67.1, markdown-it-py==4.0.0], from_source: [markdown-it-py]}",
        "system: [hello]",
        "run: ['mkdir -p /opt/extra && echo made > /opt/extra/by-a-step']",
    )
    (folder / "tool.sh").write_text("#!/bin/sh\necho hi\n")
    (folder / "tool.sh").chmod(0o700)
    (folder / "link").symlink_to("tool.sh")
    built = fresh_lock(folder)
    context = tmp_path_factory.mktemp("context") / "context"
    call_program("render", folder, "-o", context)
    return built["tag"], context, folder


@pytest.fixture(scope="module")
def ours(project):
    return read_tree(docker.APIClient(), project[0])


def test_of_two_renders_to_one_folder_one_wins(project, tmp_path):
    argv = [PROGRAM, "render", project[2], "-o", tmp_path / "context"]
    processes = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, UsageError.exit_code], told
    assert "not an empty folder" in "".join(told)
    assert list_files(tmp_path) == {f"context/{path}" for path in list_files(project[1])}


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
    unexplained = sorted(path for path in different if not is_allowed(path, ours.get(path), theirs.get(path)))
    shown = "\n".join(f"{path}: {ours.get(path)} / {theirs.get(path)}" for path in unexplained[:60])
    assert not unexplained, f"{len(unexplained)} paths differ (ours / theirs):\n{shown}"


def is_allowed(path, our, their):
    if path in ENGINES_OWN or path.split("/")[0] in ENGINES_OWN:
        return True
    if our is None:
        return any(fnmatch.fnmatch(path, one) for one in THEIRS_ONLY)
    same_but_text = their is not None and our._replace(sha256="") == their._replace(sha256="")
    return same_but_text and any(fnmatch.fnmatch(path, one) for one in TEXTS)


def test_the_two_agree_on_what_can_be_imported(ours):
    assert "opt/venv/lib/python3.11/site-packages/numpy/__init__.py" in ours
    assert "opt/venv/lib/python3.11/site-packages/numpy/__pycache__/__init__.cpython-311.pyc" in ours
    assert ours["opt/extra/by-a-step"].sha256
    assert "usr/bin/hello" in ours
    assert ours["work/tool.sh"].mode == 0o755
