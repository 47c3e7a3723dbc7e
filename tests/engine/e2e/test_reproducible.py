"""The same spec, lock and source make the same image: anywhere, any time, with any engine."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import docker
import pytest
from engine_daemons import KINDS
from engine_packages import install_packages
from program import PROGRAM, call_program

from reprobox.engines.owners import OWNER_LABEL

pytestmark = [pytest.mark.network, pytest.mark.long]

LINES = (
    "packages: {list: [numpy==2.4.6, six==1.17.0, toml==0.10.2], from_source: [toml]}",
    "system: [hello]",
    "run: ['python3 -c \"import six; print(six.__version__)\" > /opt/version']",
)


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    folder = make_project("same-bytes", *LINES)
    (folder / "package").mkdir()
    (folder / "package" / "module.py").write_text("VALUE = 1\n")
    fresh_lock(folder)
    return folder


@pytest.fixture
def empty_cache(tmp_path):
    """A cache that has downloads and nothing else: every layer is made again."""
    cache = tmp_path / "cache"
    shutil.copytree(Path(os.environ["REPROBOX_CACHE"]) / "blobs", cache / "blobs", copy_function=os.link)
    return {"REPROBOX_CACHE": str(cache)}


@pytest.fixture(scope="module")
def reference(project, tmp_path_factory):
    """What a build from nothing at all, downloads included, makes."""
    cache = tmp_path_factory.mktemp("nothing")
    built = call_program("build", "--json", project, env={"REPROBOX_CACHE": str(cache)}, timeout=900).json
    assert not any(layer["cached"] for layer in built["layers"])
    return built


def digests(built):
    return built["image_digest"], built["manifest_digest"], [layer["digest"] for layer in built["layers"]]


def test_folder_name_umask_locale_time_zone_and_clock_do_not_matter(project, reference, empty_cache, tmp_path):
    install_packages("faketime", "locales-all")
    elsewhere = tmp_path / "Ünother folder" / "deep" / "project"
    # As a checkout under another umask would have it, with other times, in another order.
    for path in sorted(project.rglob("*"), reverse=True):
        if path.is_file() and ".reprobox" not in path.parts:
            target = elsewhere / path.relative_to(project)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o600)
            os.utime(target, (1, 1))
    home = tmp_path / "home"
    home.mkdir()
    environ = {
        **os.environ,
        **empty_cache,
        **{"USER": "somebody", "LOGNAME": "somebody", "HOME": str(home), "TZ": "Pacific/Kiritimati"},
        **{"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "77"},
    }
    argv = [
        "sh",
        "-c",
        'umask 077; exec faketime -f "+400d" "$@"',
        "sh",
        str(PROGRAM),
        "build",
        "--json",
        str(elsewhere),
    ]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert reference["image_digest"] in done.stdout
    assert reference["manifest_digest"] in done.stdout


@pytest.mark.parametrize("name", [*KINDS, "podman"])
def test_every_engine_makes_and_holds_the_same_image(name, project, reference, empty_cache, daemons):
    daemon, _ = daemons(name)
    environ = {**empty_cache, "DOCKER_HOST": daemon.host}
    built = call_program("build", "--json", project, env=environ, timeout=900).json
    assert not any(layer["cached"] for layer in built["layers"])
    assert digests(built) == digests(reference)
    expected = "manifest_digest" if name.endswith("containerd") else "image_digest"
    assert built["engine_image_id"] == reference[expected]
    ran = call_program("run", "--json", project, env=environ).json
    assert (ran["exit_code"], ran["image_digest"]) == (0, reference["image_digest"])


def test_changing_a_package_makes_only_its_layer_anew(project, reference, make_project, fresh_lock):
    folder = make_project("same-bytes", *LINES)
    shutil.copytree(project, folder, dirs_exist_ok=True)
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace("six==1.17.0", "six==1.16.0").replace("run:", "#"))
    call_program("lock", folder)
    changed = call_program("build", "--json", folder).json
    before = {layer["digest"]: layer["what"] for layer in reference["layers"]}
    new = [layer["what"] for layer in changed["layers"] if layer["digest"] not in before]
    # toml is built on these layers, and so built again: into the same bytes.
    counted = [re.sub(r"[0-9]+", "N", what) for what in new if "runtime" not in what]
    assert counted == ["N packages", "bytecode of N packages"]
    assert any("numpy" in before.get(layer["digest"], "") for layer in changed["layers"])


def test_changing_a_source_line_makes_only_the_source_layer_anew(project, reference, tmp_path):
    folder = tmp_path / "same-bytes"
    shutil.copytree(project, folder)
    # A line that no earlier run of this test has left in the shared cache.
    (folder / "package" / "module.py").write_text(f"VALUE = {time.time_ns()}\n")
    call_program("build", "--json", project)
    changed = call_program("build", "--json", folder).json
    assert [layer["what"] for layer in changed["layers"] if not layer["cached"]] == ["source"]
    assert digests(changed)[2][:-1] == digests(reference)[2][:-1]
    assert changed["image_digest"] != reference["image_digest"]


def test_a_build_with_nothing_changed_makes_nothing(project):
    call_program("build", "--json", project)
    again = call_program("build", "--json", project).json
    assert all(layer["cached"] for layer in again["layers"])


def test_a_build_with_nothing_to_compile_starts_no_container(project, tmp_path):
    folder = tmp_path / "same-bytes"
    shutil.copytree(project, folder)
    call_program("build", project)
    (folder / "package" / "module.py").write_text(f"VALUE = {time.time_ns()}\n")
    assert count_containers("build", folder) == 0
    # What a run's containers are counted by too, so that none is no mistake.
    assert count_containers("run", folder) == 1


def count_containers(*arguments):
    """Run the program and return how many containers that very process made."""
    since = int(time.time())
    with subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.DEVNULL) as process:
        assert process.wait(600) == 0
    client = docker.APIClient()
    made = client.events(
        since=since, until=int(time.time()) + 1, filters={"type": "container", "event": "create"}, decode=True
    )
    owners = [one["Actor"]["Attributes"].get(OWNER_LABEL, "").split("/") for one in made]
    client.close()
    return sum(str(process.pid) in owner for owner in owners)


def test_locking_again_changes_nothing(project):
    before = (project / "spec.lock").read_bytes()
    answer = call_program("lock", "--json", project).json
    assert (answer["written"], answer["changes"]) == (False, [])
    assert (project / "spec.lock").read_bytes() == before


def test_a_stale_lock_is_refused_and_names_the_key(project, tmp_path):
    folder = tmp_path / "stale"
    shutil.copytree(project, folder)
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace("six==1.17.0", "six==1.16.0"))
    done = call_program("build", folder, check=False)
    assert done.code == 4
    assert "packages" in done.stderr
    assert "reprobox lock" in done.stderr


def test_the_lock_names_nothing_of_this_machine(project):
    text = (project / "spec.lock").read_text()
    assert "://" not in text
    assert str(Path.home()) not in text
    assert os.uname().nodename not in text
