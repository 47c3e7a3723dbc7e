"""The backends in images that ``reprobox build`` made: the same twice, another seed differs, the record names each.

``pytest tests/engine/e2e/test_backends_in_containers.py --update-backends`` writes the table in docs/backends.md anew.
"""

import json
import os
from pathlib import Path

import pytest
from backend_containers import DRIVER, IMAGES, read_rows, write_rows
from program import call_program

from tests.runtime.pythons import find_pythons

pytestmark = [pytest.mark.network, pytest.mark.long]

NAMES = {
    "xgboost_cpu": "xgboost",
    "tensorflow_cpu": "tensorflow",
    "paddlepaddle": "paddle",
    "aesara-": "pytensor-aesara ",
}
"""How a lock writes packages, and how a record names their backends."""


@pytest.fixture(scope="module")
def debian(make_project):
    """The layer of Debian alone, as a file."""
    built = call_program("build", "--json", make_project("backends-base"), timeout=900).json
    digest = next(layer["digest"] for layer in built["layers"] if layer["what"].startswith("Debian"))
    (path,) = Path(os.environ["REPROBOX_CACHE"]).rglob(f"{digest.removeprefix('sha256:')}.tar")
    return path


@pytest.fixture(scope="module", params=IMAGES, ids=lambda image: image.name)
def ran(request, make_project, fresh_lock):
    """An image, and the folders of two runs with its own seed and of one with another."""
    image = request.param
    folder = make_project(image.name, *image.lines, "outputs: [printed.json]", script=DRIVER)
    image.fill(folder)
    if image.wheels:
        image.add_wheels(folder / "wheels")
    if image.python:
        if image.python not in find_pythons():
            pytest.skip(f"no Python {image.python} here")
        home = find_pythons()[image.python].resolve().parents[1]
        if home in (Path("/usr"), Path("/usr/local")):
            pytest.skip(f"the only Python {image.python} here shares its folder with everything else")
        image.add_python(folder, request.getfixturevalue("debian"), home)
    fresh_lock(folder)
    first = Path(call_program("run", "--json", folder).json["run_dir"])
    swept = Path(call_program("sweep", "--seeds", "1", "--json", folder, timeout=900).json["record"])
    by_seed = {run["seed"]: first.parent / run["run"] for run in json.loads(swept.read_text())["runs"]}
    return image, first, by_seed.pop(32), *by_seed.values()


def _read(folder):
    return json.loads((folder / "output" / "printed.json").read_text())


def test_each_backend_repeats_and_follows_the_seed(ran, request):
    image, *folders = ran
    first, second, other = map(_read, folders)
    assert first.keys() == image.scripts.keys()
    assert first == second
    assert [name for name in first if first[name]["main"] == other[name]["main"]] == []
    versions = _read_versions(folders[0])
    rows = {name: _make_row(name, versions[name.split(" ")[0]], image) for name in image.scripts}
    if request.config.getoption("--update-backends", default=False):
        write_rows(rows)
    assert {name: read_rows()[name] for name in rows} == rows


def _make_row(name, version, image):
    # The standard library's version is the interpreter's, whose last part is the archive's; a build's is the index's.
    return f"| {name} | {'' if name == 'random' else version.split('+')[0]} | {image.where} | same | differs |"


def _read_versions(folder):
    processes = json.loads((folder / "run.json").read_text())["runtime"]["processes"]
    return {name: entry["version"] for process in processes for name, entry in process["backends"].items()}


def test_the_record_names_each_backend_with_the_version_of_the_lock(ran):
    image, first, *_ = ran
    record = json.loads((first / "run.json").read_text())
    assert record["warnings"] == [] == record["runtime"]["warnings"]
    locked = (first.parents[2] / "spec.lock").read_text().lower().replace("scikit_learn", "sklearn")
    for written, imported in NAMES.items():
        locked = locked.replace(written, imported)
    versions = _read_versions(first)
    names = {name.split(" ")[0] for name in image.scripts}
    assert names <= versions.keys()
    assert [name for name in names - {"random"} if f"{name}-{versions[name].split('+')[0]}" not in locked] == []
