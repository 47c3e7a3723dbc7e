"""Somebody else's report: its form, its sense, and whatever else a file can be."""

import json
import os
from copy import deepcopy

import pytest
from jsonschema import Draft202012Validator
from made_report import make_full_report
from typer.testing import CliRunner

from reprobox.cli import app
from reprobox.languages import load_language
from reprobox.report.check import check_report
from reprobox.report.json_text import format_report, report_to_json
from reprobox.report.schema import SCHEMA_ID, report_schema

ENGLISH = load_language("en")
VALID = report_to_json(make_full_report(), ENGLISH)


def change(*changes):
    """Return a report with other values at some places; a value that is ``...`` takes the key away."""
    report = deepcopy(json.loads(json.dumps(VALID)))
    for path, value in changes:
        *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place = report
        for key in keys:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return report


def check(*changes):
    return [str(problem) for problem in check_report(change(*changes))]


def test_our_own_report_is_valid():
    assert check_report(VALID) == ()


def test_the_published_schema_is_one_and_is_printed():
    Draft202012Validator.check_schema(report_schema())
    done = CliRunner().invoke(app, ["report", "--schema"])
    assert (done.exit_code, json.loads(done.stdout)["$id"]) == (0, SCHEMA_ID)


def test_every_object_of_the_schema_names_all_its_keys_and_no_others():
    schema = report_schema()
    for one in (schema, *schema["$defs"].values()):
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("checklist.3.reason", " ", "$.checklist[3].reason: is blank"),
        ("checklist.3.answer", "maybe", "$.checklist[3].answer: expected one of yes, no, n/a, found 'maybe'"),
        ("checklist.3.answer", "", "$.checklist[3].answer: expected one of yes, no, n/a, found ''"),
        ("checklist.3.reason", ..., "$.checklist[3]: reason is missing"),
        ("checklist.3.score", 1, "$.checklist[3]: unknown keys: score"),
        ("verdict", "all well", "$: unknown keys: verdict"),
        ("schema_version", 2, "$.schema_version: expected 1, found 2"),
        ("e_seed", ..., "$: e_seed is missing"),
        ("e_seed.declared.seed", -1, "$.e_seed.declared.seed: -1 is beyond the minimum of 0"),
        ("e_seed.declared.seed", "32", "$.e_seed.declared.seed: expected integer, found a string"),
        ("e_seed.declared.seed", True, "$.e_seed.declared.seed: expected integer, found a boolean"),
        ("extra.verification.bound", 1.5, "$.extra.verification.bound: 1.5 is beyond the maximum of 1"),
        (
            "a_procedure.source.sha256",
            "abc",
            "$.a_procedure.source.sha256: 'abc' does not look like ^[0-9a-f]{64}$",
        ),
        (
            "u_environment.image.digest",
            "1" * 64,
            f"$.u_environment.image.digest: '{'1' * 56}... does not look like ^sha256:[0-9a-f]{{64}}$",
        ),
        ("a_procedure.source.sha256", "1" * 64 + "\n", f"$.a_procedure.source.sha256: '{'1' * 56}... is too long"),
        ("u_environment.method.text", "", "$.u_environment.method.text: is blank"),
        ("u_environment.method", {}, "$.u_environment.method: origin, trace, text is missing"),
    ],
)
def test_a_wrong_form_is_told_with_its_path(path, value, told):
    assert check((path, value)) == [told]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("checklist.0.trace", [])], "$.checklist[0]: yes without evidence: it has no origin or no trace"),
        ([("checklist.0.origin", None)], "$.checklist[0]: yes without evidence: it has no origin or no trace"),
        ([("checklist.2.trace.0.sha256", None), ("checklist.2.trace.1.sha256", None)], "$.checklist[2]: yes, measured"),
        ([("a_procedure.source.run_sha256", None)], "$.checklist[0]: yes, and the report does not have"),
        ([("a_procedure.procedure.stages", [])], "$.checklist[1]: yes, and the report does not have"),
        ([("a_procedure.source.files", [])], "$.checklist[4]: yes, and the report does not have"),
        ([("a_procedure.assumptions", None)], "$.checklist[5]: yes, and the report does not have"),
        ([("a_procedure.outputs.files", [])], "$.checklist[6]: yes, and the report does not have"),
        ([("a_procedure.outputs.files", [])], "$.checklist[7]: yes, and the report does not have"),
        (
            [("a_procedure.inputs.files", []), ("a_procedure.external_data", None)],
            "$.checklist[8]: yes, and the report does not have",
        ),
        ([("a_procedure.inputs.files.0.split", None)], "$.checklist[8]: yes, and the report does not have"),
        ([("a_procedure.inputs.files.0.rows", None)], "$.checklist[8]: yes, and the report does not have"),
        ([("u_environment.image.dockerfile_sha256", None)], "$.checklist[13]: yes, and the report does not have"),
        ([("u_environment.hardware.host_storage_capacity", None)], "$.checklist[14]: yes, and the report does not"),
        ([("extra.definitions", None)], "$.checklist[20]: yes, and the report does not have what runs asks for"),
        ([("u_environment.hardware.accelerators_per_node", 1)], "$.checklist[22]: yes, and the report does not have"),
        ([("extra.sweep.metrics.0.mean_low", 99.0)], "the mean lies outside of its own interval"),
        ([("u_environment.system.image", None)], "$.checklist[11]: yes, and the report does not have"),
        ([("u_environment.software.debian", None)], "$.checklist[12]: yes, and the report does not have"),
        ([("u_environment.method", None)], "$.checklist[16]: yes, and the report does not have"),
        ([("e_seed.observed.backends", [])], "$.checklist[18]: yes, and the report does not have"),
        ([("e_seed.observed.processes", 0)], "$.checklist[19]: yes, and the report does not have"),
        (
            [("extra.verification", None), ("extra.sweep", None)],
            "$.checklist[20]: yes, and the report does not have what runs asks for",
        ),
        ([("extra.costs.stages.0.peak_memory", None)], "$.checklist[21]: yes, and the report does not have"),
        ([("extra.licence.data", None)], "$.checklist[23]: yes, and the report does not have"),
        ([("extra.licence", None)], "$.checklist[23]: yes, and the report does not have"),
        ([("extra.claim", None)], "$.checklist[24]: yes, and the report does not have"),
        ([("extra.sweep.metrics.0.mean", 99.0)], "the mean lies outside"),
        ([("checklist.25", ...)], "$.checklist: item 26 (background, under extra) is there 0 times"),
        ([("checklist.1.number", 1)], "$.checklist: item 2 (stage_commands, under a_procedure) is there 0 times"),
        ([("checklist.9.answer", "no")], "$.i_contributions: computed, and the checklist says no"),
        ([("i_contributions.rows.0.rank", 2)], "$.i_contributions.rows: the ranks of"),
        ([("i_contributions.rows.2.rank", 4)], "$.i_contributions.rows: the ranks of"),
        ([("i_contributions.rows.0.importance", 0.5)], "the ranks of the variables contradict the importances"),
        (
            [
                ("i_contributions.sign", "difference"),
                ("i_contributions.rows.1.importance", -3.25),
                ("i_contributions.rows.1.rank", 1),
            ],
            "the ranks of the variables are not 1 to 3",
        ),
        ([("i_contributions.rows.1.feature", "temperature")], "has 'temperature' more than once"),
        ([("i_contributions.rows.0.std", -1.0)], "has a negative standard deviation"),
        ([("i_contributions.rows.1.metric", " ")], "$.i_contributions.rows[1].metric: is not stated"),
        ([("i_contributions.rows.1.metric", "not applicable:")], "$.i_contributions.rows[1].metric: is not stated"),
        ([("i_contributions.rows.1.data_split", "")], "$.i_contributions.rows[1].data_split: is not stated"),
        (
            [("i_contributions.rows.1.seed", None)],
            "$.i_contributions.rows[1].seed: is not stated, and nothing says why there is none",
        ),
        ([("i_contributions.status", "fine")], "$.i_contributions.status: expected computed"),
        (
            [("i_contributions.status", "not_applicable"), ("i_contributions.rows", []), ("checklist.9.answer", "n/a")],
            "$.i_contributions.reason: not_applicable without a reason",
        ),
        ([("extra.verification.agreeing", 4)], "$.extra.verification.agreeing: 4 runs agree, of 3"),
        ([("extra.verification.agreeing", 2)], "$.extra.verification.verdict: IDENTICAL, and 2 of 3 runs agree"),
        ([("extra.verification.wanted", 2)], "$.extra.verification.runs: 3 runs, and 2 were wanted"),
        ([("extra.verification.bound", 0.01)], "prove a rate of at most 0.632, not 0.010"),
        ([("extra.verification.runs.1.run", "20261121-084500")], "a run is there more than once"),
        ([("extra.sweep.metrics.0.n", 30)], "$.extra.sweep.metrics[0].n: 30 seeds said, 9 values, 9 seeds run"),
        ([("extra.sweep.metrics.0.maximum", 99.0)], "minimum and maximum are not those of the values"),
        ([("extra.sweep.metrics.0.median", 99.0)], "the median lies outside"),
        ([("extra.sweep.metrics.0.sd", -1.0)], "a standard deviation is not negative"),
        ([("extra.sweep.metrics.0.values.0.seed", 2)], "a seed is there more than once"),
        ([("extra.costs.trace", [])], "$.extra.costs: measured, and nothing says where"),
        ([("extra.costs.trace.0.sha256", "0" * 64)], "run.json has 2 different sha256"),
        ([("run.image_digest", "sha256:" + "2" * 64)], "$.u_environment.image.digest: is not the run's image"),
    ],
)
def test_what_cannot_be_true_is_told(changes, told):
    found = check(*changes)
    assert any(told in problem for problem in found), found


@pytest.mark.parametrize("last", [2, 3])
def test_equal_importances_may_share_a_rank(last):
    changes = [("i_contributions.rows.1.importance", 3.25), ("i_contributions.rows.1.rank", 1)]
    assert check(*changes, ("i_contributions.rows.2.rank", last)) == []


def test_one_problem_is_one(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(change(("name", ""))))
    assert CliRunner().invoke(app, ["report", "--check", str(path)]).stderr.endswith(": 1 problem\n")


def test_problems_are_told_in_the_order_of_their_places():
    assert [line.split(":")[0] for line in check(("checklist.10.reason", ""), ("checklist.2.reason", ""))] == [
        "$.checklist[2].reason",
        "$.checklist[10].reason",
    ]


def test_what_a_report_says_cannot_colour_the_terminal_or_fill_it():
    found = check(("checklist.3.answer", "\x1b[31m" + "x" * 10_000), ("\x1b]0;title\x07", 1))
    assert all(problem.isprintable() and len(problem) < 400 for problem in found)


class TestFiles:
    @pytest.fixture
    def run(self, tmp_path):
        def check_file(data):
            path = tmp_path / "report.json"
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
            done = CliRunner().invoke(app, ["report", "--check", str(path)])
            assert "Traceback" not in done.stderr
            return done.exit_code, done.stderr

        return check_file

    def test_a_valid_one_is_exit_code_0(self, run):
        assert run(format_report(make_full_report(), ENGLISH))[0] == 0

    def test_one_that_breaks_rules_is_exit_code_1(self, run):
        code, told = run(json.dumps(change(("checklist.0.reason", ""), ("name", ""))))
        assert code == 1
        assert "2 problems" in told

    @pytest.mark.parametrize("text", ["null", "[]", "3", '"report"', "{}"])
    def test_other_json_breaks_rules(self, run, text):
        assert run(text)[0] == 1

    @pytest.mark.parametrize(
        ("data", "told"),
        [
            (b"", "Expecting value"),
            (b"{", "Expecting property name"),
            (b'{"a": 1}\xff', "byte 0xff at 8 is not UTF-8"),
            (b'{"a": NaN}', "NaN is no number of JSON's"),
            (b'{"a": -Infinity}', "-Infinity is no number of JSON's"),
            (b'{"a": 1e999}', "too large or too long a number"),
            (b'{"a": ' + b"9" * 5000 + b"}", "too long a number"),
            (b'{"a": 0.' + b"9" * 5000 + b"}", "too long a number"),
            (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' is given twice"),
            (b'{"a": "\\ud800"}', "half of a surrogate pair is no character: \\ud800"),
            (b'{"\\udfff": 1}', "half of a surrogate pair"),
            (b"[" * 100_000, "nested more than 32 levels deep"),
            (b'{"a":' * 100_000, "nested more than 32 levels deep"),
            (b'"' + b'\\"' * 2_000_000, "Unterminated string"),
            (b'"' + b'\\"' * 2_000_000 + b"\\", "Unterminated string"),
            (b"[" + b"1," * 1_000_001, "more than 1,000,000 values"),
            (b"{" + b",".join(b'"%d": 0' % number for number in range(200_000)) + b', "7": 0}', "given twice"),
        ],
        ids=range(17),
    )
    @pytest.mark.timeout(30)
    def test_what_is_no_json_is_one_error_and_exit_code_2(self, run, data, told):
        code, error = run(data)
        assert code == 2
        assert told in error
        assert error.count("error:") == 1

    def test_brackets_in_texts_are_not_depth(self, run):
        assert run(json.dumps("[" * 1000 + '\\"' + "{" * 1000))[0] == 1

    @pytest.mark.timeout(30)
    def test_a_file_of_a_gigabyte_is_not_read(self, tmp_path):
        path = tmp_path / "report.json"
        with path.open("wb") as stream:
            stream.truncate(2**30)
        done = CliRunner().invoke(app, ["report", "--check", str(path)])
        assert done.exit_code == 2
        assert "more than 33,554,432 bytes" in done.stderr

    @pytest.mark.timeout(30)
    @pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "loop"])
    def test_what_is_no_file_is_exit_code_2(self, tmp_path, kind):
        path = tmp_path / "report.json"
        match kind:
            case "folder":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case "loop":
                path.symlink_to(path)
        assert CliRunner().invoke(app, ["report", "--check", str(path)]).exit_code == 2

    def test_the_answer_for_machines(self, tmp_path):
        path = tmp_path / "report.json"
        path.write_text(json.dumps(change(("name", ""))))
        done = CliRunner().invoke(app, ["report", "--check", str(path), "--json"])
        assert json.loads(done.stdout) == {
            "file": str(path),
            "valid": False,
            "problems": [{"path": "$.name", "message": "is blank"}],
        }
