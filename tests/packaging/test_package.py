"""What is installed has everything: the wheel, the sdist, and the program without its checkout."""

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
TEMPLATES = {
    path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*") if path.is_file()
} | {"Dockerfile.base"}
DATA = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "reprobox").rglob("*")
    if path.is_file() and path.suffix not in (".pyc", ".py")
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Install the wheel into an environment of its own, which borrows the packages it depends on from this one."""
    folder = tmp_path_factory.mktemp("env")
    (wheel,) = built.glob("*.whl")
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel)
    # On PYTHONPATH its .pth files are not read, so the editable install of the checkout is not seen.
    environ = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONDONTWRITEBYTECODE": "1"}
    where = folder / "elsewhere"
    where.mkdir()
    return lambda *arguments: call(*arguments, cwd=where, env=environ), folder


def call(*arguments, **options):
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_every_template_and_every_data_file(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"reprobox/_templates/{name}" for name in TEMPLATES} <= names
    assert names >= DATA
    assert "reprobox/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_has_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert len(tops) == 2
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "test" in name or name.endswith(".pyc")]


def test_the_sdist_has_what_the_wheel_is_built_from(built, tmp_path):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again", cwd=source)
    (wheel,), (again,) = built.glob("*.whl"), (tmp_path / "again").glob("*.whl")
    assert again.read_bytes() == wheel.read_bytes()


def test_the_installed_program_is_not_the_checkouts(installed):
    run, folder = installed
    found = run(folder / "bin" / "python", "-c", "import reprobox; print(reprobox.__file__)")
    assert Path(found.strip()).is_relative_to(folder)


def test_the_installed_program_finds_its_templates(installed):
    run, folder = installed
    text = run(
        folder / "bin" / "python",
        "-c",
        "from reprobox.templating import *; import json;"
        "print(json.dumps([read_base_dockerfile(), *map(read_template, "
        f"{sorted(TEMPLATES - {'Dockerfile.base'})!r})]))",
    )
    expected = [
        ROOT / "Dockerfile.base",
        *(ROOT / "templates" / name for name in sorted(TEMPLATES - {"Dockerfile.base"})),
    ]
    assert json.loads(text) == [path.read_text("utf-8") for path in expected]


def test_the_installed_program_finds_its_data(installed):
    run, folder = installed
    program = folder / "bin" / "reprobox"
    assert json.loads(run(program, "schema"))["properties"]["seed"]
    run(program, "init", ".")
    assert "command:" in (folder / "elsewhere" / "spec.yaml").read_text()
    run(
        folder / "bin" / "python",
        "-c",
        "from reprobox.resolve.compat import check_frameworks;"
        "assert check_frameworks({'torch': '2.13.0'}, '3.6', None, None);"
        "assert check_frameworks({'tensorflow': '2.21.0'}, '3.6', None, None)",
    )


def test_every_package_that_is_imported_is_a_dependency():
    declared = {
        canonicalize_name(Requirement(text).name)
        for text in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    }
    owners = packages_distributions()
    for path in (ROOT / "reprobox").rglob("*.py"):
        if "_runtime" in path.parts:
            continue
        for name in list_imports(ast.parse(path.read_text("utf-8"))) - sys.stdlib_module_names - {"reprobox"}:
            assert {canonicalize_name(owner) for owner in owners.get(name, ())} & declared, f"{path}: {name}"


def list_imports(tree):
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}
