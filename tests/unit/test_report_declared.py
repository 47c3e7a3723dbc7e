"""report.yaml: every key, every mistake with its place, and all of them at once."""

import hashlib
import re
from pathlib import Path

import pytest

from reprobox.errors import SpecError, UsageError
from reprobox.report.declared import Claim, Declared, HardwareSaid, InputSaid, Licences
from reprobox.report.declared_load import parse_declared, read_declared
from reprobox.report.values import Origin, Role
from reprobox.templating import read_template

EXAMPLES = Path(__file__).parents[2] / "examples"


def read(text):
    return parse_declared(text, "report.yaml").declared


def problems(text):
    with pytest.raises(SpecError) as caught:
        read(text)
    return [str(problem).split("\n")[0] for problem in caught.value.problems]


def test_everything_can_be_said():
    declared = read(
        "title: T\nauthor: A\nmethod: |\n  one\n\n  two  \nhyperparameters: {alpha: 0.1, kernel: rbf}\n"
        "feature_selection: all\nside_effects: none\nassumptions: sorted\nexternal_data: none\n"
        "licence: {code: MIT, model: MIT, data: CC0}\nclaim: {metric: auc, value: 0.8125, where: board}\n"
        "outputs: {model: m.pt, predictions: [a.csv, 'b/*.csv']}\nbackground: us\n"
        "inputs: {table: {rows: 12, split: test}, images: {}}\nmetrics: {auc: area under the curve}\n"
        "hardware: {host_networking: Ethernet, accelerator_interconnect: NVLink, accelerator_memory_needed: 8 GB}\n"
        "contributions: {not_applicable: image}\nrandomness: {none: closed form}\n"
    )
    assert declared == Declared(
        title="T",
        author="A",
        method="one\n\ntwo",
        hyperparameters="alpha: 0.1\nkernel: rbf",
        feature_selection="all",
        side_effects="none",
        assumptions="sorted",
        external_data="none",
        inputs={"table": InputSaid(rows=12, split="test"), "images": InputSaid()},
        metrics={"auc": "area under the curve"},
        hardware=HardwareSaid(
            host_networking="Ethernet", accelerator_interconnect="NVLink", accelerator_memory_needed="8 GB"
        ),
        licence=Licences(code="MIT", model="MIT", data="CC0"),
        claim=Claim(metric="auc", value=0.8125, where="board"),
        outputs={Role.MODEL: ("m.pt",), Role.PREDICTIONS: ("a.csv", "b/*.csv")},
        background="us",
        contributions="image",
        randomness="closed form",
    )


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_an_empty_file_says_nothing(text):
    assert read(text) == Declared()


def test_a_file_that_is_not_there_says_nothing(tmp_path):
    assert read_declared(tmp_path / "report.yaml").declared == Declared()


def test_the_template_says_nothing_and_is_valid_without_its_comment_signs(tmp_path):
    template = read_template("report/report.yaml")
    assert read(template) == Declared()
    filled = read(re.sub(r"^# (?=[a-z_]+:|  )", "", template, flags=re.MULTILINE))
    assert not [name for name in Declared.__dataclass_fields__ if not getattr(filled, name)]


def test_a_statement_knows_its_file_and_that_a_person_says_it(tmp_path):
    path = tmp_path / "report.yaml"
    path.write_bytes(b"\xef\xbb\xbfmethod: trees\n")
    found = read_declared(path).state("method")
    assert (found.origin, found.text) == (Origin.DECLARED, "trees")
    assert found.trace[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metod: x\n", "report.yaml:1:1: metod: unknown key"),
        ("license: {code: MIT}\n", "report.yaml:1:1: license: unknown key"),
        ("licence: MIT\n", "report.yaml:1:10: licence: expected a mapping, found 'MIT'"),
        ("licence: {source: MIT}\n", "report.yaml:1:11: licence.source: unknown key"),
        ("claim: {metric: auc}\n", "report.yaml:1:1: claim.value: is missing"),
        ("claim: {metric: auc, value: high}\n", "report.yaml:1:29: claim.value: expected a number, found 'high'"),
        ("claim: {metric: auc, value: .nan}\n", "report.yaml:1:29: claim.value: expected a number, found '.nan'"),
        ("claim: {metric: auc, value: 1e999}\n", "report.yaml:1:29: claim.value: expected a number, found '1e999'"),
        ("inputs: table\n", "report.yaml:1:9: inputs: expected a mapping, found 'table'"),
        ("inputs: {t: {rows: many}}\n", "report.yaml:1:20: inputs.t.rows: 'many' is not a plain integer"),
        ("inputs: {t: {row: 1}}\n", "report.yaml:1:14: inputs.t.row: unknown key"),
        ("hardware: {networking: x}\n", "report.yaml:1:12: hardware.networking: unknown key"),
        ("metrics: {auc: [1]}\n", "report.yaml:1:16: metrics.auc: expected a text, found a list"),
        ("outputs: {weights: a}\n", "report.yaml:1:11: outputs.weights: unknown key"),
        ("outputs: {model: ../a}\n", "report.yaml:1:18: outputs.model: '../a' leaves /output"),
        ("contributions: none\n", "report.yaml:1:16: contributions: expected a mapping, found 'none'"),
        ("method:\n", "report.yaml:1:8: method: expected a text, found nothing"),
        ('method: ""\n', "report.yaml:1:9: method: expected a text, found an empty text"),
        ('method: "a\\x1b[31m"\n', "report.yaml:1:9: method: contains the control character U+001B"),
        ("method: [a]\n", "report.yaml:1:9: method: expected a text, found a list"),
        ("method: *x\n", "report.yaml:1:9: *x is a YAML alias; a report.yaml has none"),
        ("claim: high\n", "report.yaml:1:8: claim: expected a mapping, found 'high'"),
        (
            "hyperparameters: {}\n",
            "report.yaml:1:18: hyperparameters: expected a text or a mapping, found an empty mapping",
        ),
        (f"method: {'x' * 50_000}\n", "report.yaml:1:9: method: is 50,000 characters long"),
        ("- method\n", "report.yaml:1:1: a report.yaml is a mapping of keys to values, such as `name: digits`"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, told):
    assert problems(text) == [told]


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "report.yaml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_declared(tmp_path / "report.yaml")


def test_a_broken_file_tells_all_that_was_found_before(tmp_path):
    assert len(problems("method: a\nmethod: b\ntitle: [\n")) == 2


def test_a_misspelt_key_gets_a_suggestion():
    with pytest.raises(SpecError, match="did you mean 'assumptions'"):
        read("assumption: x\n")


def test_all_mistakes_are_told_at_once():
    assert len(problems("metod: x\nclaim: {value: x}\noutputs: {model: /a}\n")) == 4


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/report.yaml")), ids=lambda path: path.parent.name)
def test_the_examples_say_what_can_be_read(path):
    declared = read_declared(path).declared
    assert declared.method
    assert declared.outputs[Role.MODEL]
