"""What reprobox writes for made-up projects is what it wrote before."""

import hashlib
import json

import pytest
from made_report import make_full_report
from made_up import FOLDER, SPECS, make_image, make_lock, plan_project, write_layer

from reprobox.context import format_dockerfile, format_requirements
from reprobox.contract import format_contract
from reprobox.languages import list_languages, load_language
from reprobox.lock_text import format_lock, parse_lock
from reprobox.report.json_text import format_report
from reprobox.report.layout import lay_out
from reprobox.report.render import format_markdown
from reprobox.report.sbom import format_sbom
from reprobox.report.schema import report_schema

KINDS = tuple(SPECS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_dockerfile(check_golden, kind):
    check_golden(f"{kind}.Dockerfile", format_dockerfile(plan_project(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(check_golden, kind):
    check_golden(f"{kind}.contract.json", format_contract(plan_project(kind)).decode())


@pytest.mark.parametrize("kind", KINDS)
def test_the_requirements(check_golden, kind):
    check_golden(f"{kind}.requirements.lock", format_requirements(plan_project(kind).wheels))


@pytest.mark.parametrize("kind", KINDS)
def test_the_lock(check_golden, kind):
    text = format_lock(make_lock(kind))
    check_golden(f"{kind}.spec.lock", text)
    assert format_lock(parse_lock(text, "spec.lock")) == text


@pytest.mark.parametrize("kind", KINDS)
def test_the_image(check_golden, kind, tmp_path):
    image = make_image(kind, tmp_path)
    check_golden(f"{kind}.config.json", image.config.decode())
    check_golden(f"{kind}.manifest.json", image.manifest.decode())
    check_golden(f"{kind}.digests", f"image {image.config_digest}\nmanifest {image.manifest_digest}\n")


def test_the_layers(check_golden):
    names = ("lower", "upper")
    check_golden("layers", "".join(f"{name} {hashlib.sha256(write_layer(name)).hexdigest()}\n" for name in names))


@pytest.mark.parametrize("code", list_languages())
def test_the_report_in_words(check_golden, code):
    language = load_language(code)
    check_golden(f"report.{code}.md", format_markdown(lay_out(make_full_report(), language), language))


def test_the_report_for_machines(check_golden):
    check_golden("report.json", format_report(make_full_report(), load_language("en")))
    check_golden("report.schema.json", json.dumps(report_schema(), indent=1) + "\n")
    check_golden("sbom.cdx.json", format_sbom(make_full_report()))


@pytest.mark.parametrize("kind", KINDS)
def test_digests_are_those_of_the_bytes_in_the_files(kind):
    said = dict(line.split() for line in (FOLDER / f"{kind}.digests").read_text().splitlines())
    config = (FOLDER / f"{kind}.config.json").read_bytes()
    manifest = (FOLDER / f"{kind}.manifest.json").read_bytes()
    assert said["image"] == f"sha256:{hashlib.sha256(config).hexdigest()}" == json.loads(manifest)["config"]["digest"]
    assert said["manifest"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def test_every_golden_file_is_compared_with_something():
    parts = ["Dockerfile", "contract.json", "requirements.lock", "spec.lock", "config.json", "manifest.json", "digests"]
    known = {"layers", "report.json", "report.schema.json", "sbom.cdx.json"}
    known |= {f"report.{code}.md" for code in list_languages()} | {f"{kind}.{part}" for kind in KINDS for part in parts}
    assert {path.name for path in FOLDER.iterdir()} == known
