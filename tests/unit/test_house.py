"""The house is in order: what no file may hold, and lists that go with folders."""

import re
import tomllib
from pathlib import Path

from pip._internal.models.index import PyPI

from reprobox.templating import read_base_dockerfile, read_template, templates_folder

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS = ("reprobox", "templates", "scripts", "docs", "examples", "tests", ".ci", "benchmarks")
TOP = (".gitignore", "CHANGELOG.md", "Dockerfile.base", "LICENSE", "Makefile", "README.md", "pyproject.toml")
TEXTS = {".py", ".md", ".toml", ".yaml", ".j2", ".sh", ".json", ".lock", ".txt", ""}


def read_project() -> dict[str, str]:
    paths = [ROOT / name for name in TOP]
    paths += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    hidden = {"__pycache__", ".reprobox"}
    kept = [path for path in paths if path.suffix in TEXTS and not hidden & set(path.parts)]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in kept}


def test_no_file_names_the_public_index():
    hosts = (PyPI.netloc, PyPI.file_storage_domain)
    assert not [name for name, text in read_project().items() if any(host in text for host in hosts)]


def test_texts_end_with_a_newline_and_lines_without_blanks():
    texts = {name: text for name, text in read_project().items() if "/golden/files/" not in name}
    assert not [name for name, text in texts.items() if text and (text[-1] != "\n" or re.search(r"[ \t]\n", text))]


def test_templates_are_read_from_the_checkout_when_nothing_is_installed():
    assert templates_folder() == ROOT / "templates"
    assert read_base_dockerfile() == (ROOT / "Dockerfile.base").read_text("utf-8")


def test_every_template_is_used_by_the_program():
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "reprobox").rglob("*.py"))
    # Of a report's languages and its style each is found otherwise: by their folder, by the page.
    code += (ROOT / "templates" / "report" / "report.html.j2").read_text("utf-8")
    folder = ROOT / "templates"
    for path in (one for one in folder.rglob("*") if one.is_file() and one.parent.name != "lang"):
        name = path.relative_to(folder).as_posix()
        assert f'"{name}"' in code
        assert read_template(name)


def test_the_wheel_and_the_sdist_have_the_templates():
    targets = PROJECT["tool"]["hatch"]["build"]["targets"]
    assert set(targets["wheel"]["force-include"]) == {"templates", "Dockerfile.base"}
    assert {"/templates", "/Dockerfile.base"} <= set(targets["sdist"]["include"])


def test_the_host_side_depends_on_no_framework():
    names = {re.split(r"[<>=;\[ ]", text)[0] for text in PROJECT["project"]["dependencies"]}
    assert not names & {"torch", "tensorflow", "keras", "jax", "scipy", "scikit-learn"}


def test_every_module_says_what_it_is_for():
    for path in (ROOT / "reprobox").rglob("*.py"):
        assert path.read_text("utf-8").startswith('"""'), path
