"""README and docs say what is so: commands, options, exit codes, variables, files and the tour's output."""

import re
from pathlib import Path

import pytest
import typer.main

from reprobox import errors
from reprobox.cli import app
from reprobox.errors import ReproboxError, SpecError
from reprobox.scaffold import propose_spec
from reprobox.spec.load import parse_spec
from reprobox.spec.schema import spec_schema

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES |= {"README.md": README}
COMMANDS = typer.main.get_command(app).commands
OTHERS_VARIABLES = {
    "NO_PROXY": "requests and uv read it",
    "UV_TORCH_BACKEND": "uv's",
    "UV_PYTHON": "uv's",
    "HF_TOKEN": "an example of a secret",
}
"""Variables that the docs name and no file here does -> why."""


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def fenced(kind: str, text: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name):
    assert re.search(rf"^\| `reprobox {name}\b", section("Commands"), re.MULTILINE)


def test_every_command_in_the_docs_exists():
    for name, text in PAGES.items():
        said = set(re.findall(r"(?:`|\$ )reprobox ([a-z]+)", text))
        assert said <= COMMANDS.keys(), name


def test_every_option_in_the_docs_exists():
    known = {option for command in COMMANDS.values() for one in command.params for option in one.opts}
    known |= {option for one in typer.main.get_command(app).params for option in one.opts}
    said = {
        option
        for text in PAGES.values()
        for line in re.findall(r"`reprobox ([^`]*)`", text)
        for option in re.findall(r"(?<!\w)--?[a-z][a-z-]*", line)
    }
    assert said
    assert said <= known


def exit_codes() -> set[int]:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ReproboxError)]
    return {one.exit_code for one in classes}


def test_the_exit_codes_are_those_of_the_errors():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", section("Exit codes"), re.MULTILINE)
    used = {int(code) for code, meaning in rows if "Not used yet" not in meaning}
    assert used == exit_codes() | {0, 1}
    assert [int(code) for code, _ in rows] == sorted({int(code) for code, _ in rows})


def code() -> str:
    folders = ("reprobox", "templates", "scripts", "tests/gpu")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return "\n".join(path.read_text("utf-8") for path in paths if "__pycache__" not in path.parts)


def test_every_variable_in_the_docs_is_read_somewhere():
    said = {name for text in PAGES.values() for name in re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`=]", text)}
    assert {"REPROBOX_CACHE", "REPROBOX_DEBIAN_MIRROR"} <= said
    text = code()
    # pip's variables are its options' names, and are read as such.
    said = {name for name in said if not (name.startswith("PIP_") and name[4:].lower().replace("_", "-") in text)}
    unknown = {name for name in said if not re.search(rf"\b{name}\b", text)}
    assert unknown <= OTHERS_VARIABLES.keys()


def test_every_variable_of_ours_is_in_the_docs():
    ours = {name for name in re.findall(r"\bREPROBOX_[A-Z_]+\b", code()) if not name.endswith("_")}
    inside = {"REPROBOX_COMPLETE"}
    missing = {name for name in ours - inside if not any(f"`{name}`" in text for text in PAGES.values())}
    assert not missing - {"REPROBOX_PYTHON"}, "scripts/engine's own"


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if target.startswith("#"):
            assert target[1:] in anchors(PAGES[page]), target
        elif "://" not in target:
            path, _, anchor = target.partition("#")
            found = (ROOT / page).parent / path
            assert found.exists(), target
            assert not anchor or anchor in anchors(found.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_linked_from_the_readme():
    for name in PAGES.keys() - {"README.md"}:
        assert f"]({name})" in README


def test_every_key_of_the_spec_is_in_the_readmes_table():
    rows = re.findall(r"^\| (`.*?`) \|", section("The spec"), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(spec_schema()["properties"])


def test_every_make_target_in_the_readme_exists():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= set(targets)


def test_the_tours_spec_is_what_init_proposes(tmp_path):
    folder = tmp_path / "forest"
    folder.mkdir()
    (folder / "train.py").write_text(fenced("python", section("A tour"))[0])
    lines = [line for line in propose_spec(folder).splitlines() if line and not line.lstrip().startswith("#")]
    assert "\n".join(lines) in section("A tour")


def test_the_tours_errors_are_those_that_are_given():
    text = "reprobox: 1\nname: forest\nseed: 1e3\nframeworks: {pytorch: 2.13.0}\ncommand: python train.py\n"
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "bad.yaml", None)
    assert str(caught.value) in section("A tour")


def test_the_tour_is_short():
    shown = sum(block.count("\n") for block in fenced("console", section("A tour")))
    assert shown <= 72


def test_the_labels_in_the_docs_are_the_images(monkeypatch):
    from reprobox.image_settings import make_image_settings
    from reprobox.lock import ArchiveBase, Lock, PythonTarget
    from reprobox.plan import make_plan

    spec = parse_spec("reprobox: 1\nname: x\nseed: 1\ncommand: python x.py\n", "spec.yaml", None)
    base, python = ArchiveBase("root.tar", "0" * 64), PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
    plan = make_plan(spec, Lock("1", 1, "", (), base, python, (), ()), ())
    said = set(re.findall(r"`(reprobox\.[a-z]+)`", PAGES["docs/images.md"]))
    assert said == {name for name, _ in make_image_settings(plan).labels}


def test_the_changelog_has_the_version_or_what_comes_next():
    assert re.search(r"^## (Unreleased|\[?\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
