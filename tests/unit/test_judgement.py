"""A judgement as JSON, as a statement, as a page and on a terminal."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from made_judgements import make_judgement
from made_records import make_record

from reprobox.compare.model import FileComparison, Result, make_difference, make_remark
from reprobox.judging.judgement import Outcome, Rung, format_judgement
from reprobox.judging.page import format_pages
from reprobox.judging.statement import format_attestation
from reprobox.judging.text import describe_judgement, describe_rung
from reprobox.languages import list_languages, load_language, make_reason
from reprobox.record_diff import NAMED_GROUPS, compare_circumstances
from reprobox.records import Gpu, Host, RuntimeRecord
from reprobox.verdict import RunComparison, Verdict

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def pages(judgement, code="en"):
    return dict(format_pages(judgement, load_language(code)))


def find(value, path):
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.parametrize("code", list_languages())
def test_every_value_of_the_page_is_that_of_the_json(code):
    judgement = make_judgement()
    kept = json.loads(format_judgement(judgement))
    html = pages(judgement, code)[f"judgement.{code}.html"]
    shown = re.findall(r'<data value="([^"]*)" data-path="([^"]+)"', html)
    assert len(shown) > 30
    for value, path in shown:
        if path.startswith("claimed_outputs."):
            assert json.loads(unescape(value)) in kept["claimed_outputs"].values()
        elif not path.startswith("sandbox."):
            assert json.loads(unescape(value)) == find(kept, path), path


@pytest.mark.parametrize("code", list_languages())
@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_explained_in_every_language(code, verdict):
    made = pages(make_judgement(verdict=verdict), code)
    assert all(verdict.value in text for text in made.values())
    assert "judge." not in made[f"judgement.{code}.md"]


def test_the_verdict_is_followed_by_why():
    judgement = make_judgement()
    text = pages(judgement)["judgement.en.md"]
    assert f"> Why: {load_language('en')['judge.CONSISTENT']}" in text
    assert "> 理由: " in pages(judgement, "ja")["judgement.ja.md"]


def test_what_is_said_is_english_in_the_json_and_in_the_pages_language_on_the_page():
    judgement = make_judgement()
    kept = json.loads(format_judgement(judgement))
    assert kept["reason"] == "model.pt differs; the spec sets no seed"
    assert kept["reason_keys"] == ["one_differs", "no_seed_set"]
    assert kept["rungs"][0]["answer"] == "every byte is the one its manifest names (7 files)"
    assert kept["rungs"][0]["answer_keys"] == ["bytes_named"]
    page = pages(judgement, "ja")["judgement.ja.md"]
    assert "model.pt が異なる。spec でシードが設定されていない" in page
    assert "コンテナ" in page
    for english in ("differs", "every byte", "no stage", "as the entrant"):
        assert english not in page


@pytest.mark.parametrize("code", list_languages())
def test_what_was_not_the_same_has_its_name_in_the_pages_language(code):
    one = make_record()
    other = replace(
        one,
        image_digest="i",
        spec_digest="s",
        lock_digest="l",
        seed=33,
        level="off",
        network=True,
        gpus=(Gpu("A100", "535.104.05", 80 << 30),),
        engine=replace(one.engine, version="1"),
        host=Host("k", "a", "c", ("x", "y", "z"), 99, 1, ()),
        inputs={"memory": "5" * 64},
        environment={"cpu": "x"},
    )
    facts = compare_circumstances(one, other)
    texts = load_language(code).texts
    ours = {fact.name for fact in facts if fact.group in NAMED_GROUPS} - {"reprobox"}
    named = {name.replace(" ", "_") for name in ours} | {fact.group for fact in facts} | {"stages", "runtime"}
    assert {f"circumstance.{name}" for name in named} == {key for key in texts if key.startswith("circumstance.")}
    page = pages(make_judgement(circumstances=facts), code)[f"judgement.{code}.md"]
    for fact in facts:
        group = texts[f"circumstance.{fact.group}"]
        name = (
            fact.name
            if fact.group in ("inputs", "environment")
            else texts.get(f"circumstance.{fact.name.replace(' ', '_')}", fact.name)
        )
        assert re.search(rf"^\|? ?{re.escape(group)} \| `?{re.escape(name)}`? \|", page, re.MULTILINE), fact


def test_another_build_of_a_library_is_named_at_the_same_version_of_the_package():
    def run(library):
        process = {"backends": {"xgboost": {"version": "3.4.1"}}, "libraries": {"libstdc++": library, "odd": ["x"]}}
        return replace(make_record(), runtime=RuntimeRecord((process, {"libraries": "none"}), ()))

    one, other = "libstdc++.so.6.0.28, build 01, GCC: 10.2.1", "libstdc++.so.6.0.33, build 02, GCC: 14.2.1"
    (fact,) = compare_circumstances(run(one), run(other))
    assert (fact.group, fact.name, fact.a, fact.b) == ("runtime", "libstdc++", one, other)


def test_a_judgement_that_ended_early_has_a_page_too():
    early = make_judgement(
        rungs=(), runs=(), scores=(), agreement=None, parted=None, circumstances=(), notes=(), host=None, engine=None
    )
    text = pages(early)["judgement.en.md"]
    assert "## Scores" not in text
    assert "## What was judged" in text


def test_where_nothing_differs_no_heading_says_what_does():
    differing = pages(make_judgement())["judgement.en.md"]
    equal = pages(make_judgement(parted=RunComparison("20260101-120000-abcd"), circumstances=()))["judgement.en.md"]
    assert "## What differs" in differing
    assert "## What differs" not in equal


def test_nothing_of_the_entrants_is_markup_or_moves_a_cursor():
    hostile = make_judgement(
        entry=HOSTILE,
        reason=(make_reason("one_differs", names=HOSTILE),),
        claim=HOSTILE,
        claimed_outputs={HOSTILE: "e" * 64},
        parted=RunComparison(
            HOSTILE,
            (HOSTILE,),
            (HOSTILE,),
            (
                (
                    HOSTILE,
                    FileComparison(
                        HOSTILE,
                        Result.DIFFERENT,
                        1,
                        (make_difference(HOSTILE, "type", one=HOSTILE, other="{0}"),),
                        1,
                        remarks=make_remark("told", text=HOSTILE),
                    ),
                ),
            ),
        ),
        notes=(make_reason("copied", output=HOSTILE, source="{0.__class__}"),),
        rungs=(Rung(3, HOSTILE, Outcome.FAILED, (make_reason("printed_last", lines=HOSTILE),)),),
    )
    html = pages(hostile)["judgement.en.html"]
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    told = describe_judgement(hostile, Path("out")) + describe_rung(hostile.rungs[0])
    for text in (*pages(hostile).values(), told):
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize(
    ("verdict", "result"),
    [
        (Verdict.IDENTICAL, "PASSED"),
        (Verdict.EQUIVALENT, "PASSED"),
        (Verdict.CONSISTENT, "WARNED"),
        (Verdict.DIFFERENT, "FAILED"),
        (Verdict.NOT_RUN, "FAILED"),
        (Verdict.NOT_COMPARABLE, "FAILED"),
    ],
)
def test_the_statement_is_an_in_toto_test_result(verdict, result):
    statement = json.loads(format_attestation(make_judgement(verdict=verdict)))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = statement["predicate"]
    assert predicate["result"] == result
    assert predicate["configuration"] == [{"name": "bundle", "digest": {"sha256": "a" * 64}}]
    assert (predicate["passedTests"], predicate["failedTests"]) == (["0: is it?"], ["3: is it so?"])
    assert {"name": "model.pt", "digest": {"sha256": "e" * 64}} in statement["subject"]


def test_the_terminal_shows_agreement_beside_that_of_two_seeds():
    text = describe_judgement(make_judgement(), Path("out"))
    assert "93.75% of the rows of predictions.csv are as claimed; two seeds of this entry agree on 95.00%" in text
    assert "no closer than another seed" in text
    assert "accuracy: claimed 0.875, here 0.75; 5 other seeds: 0.5 … 0.9; computed from predictions and labels" in text
    assert "rank 1 by the claim, 2 by the judge's run" in text
    assert "host cpu: A → B" in text


def test_numbers_that_json_lacks_are_texts():
    judgement = make_judgement(seconds=float("nan"))
    assert json.loads(format_judgement(judgement))["seconds"] == "nan"


def test_a_score_stands_beside_median_and_spread_of_other_seeds_and_a_picked_seed_is_named():
    spread = {"band": (0.5, 0.9), "seeds": 5, "median": 0.7, "sd": 0.0625}
    (made,) = make_judgement().scores
    judgement = make_judgement(scores=(replace(made, claimed=0.95, inside=False, seed_sensitive=True, **spread),))
    text = describe_judgement(judgement, Path("kept"))
    assert "5 other seeds: 0.5 … 0.9, median 0.7, sd 0.0625; computed" in text
    assert "→ a seed-sensitive claim: other seeds of the same program do not reach it" in text
    kept = json.loads(format_judgement(judgement))["scores"][0]
    assert (kept["median"], kept["sd"], kept["seed_sensitive"]) == (0.7, 0.0625, True)
    for code, yes in (("en", "yes"), ("ja", "はい")):
        lines = pages(judgement, code)[f"judgement.{code}.md"].splitlines()
        words = load_language(code).texts
        assert f"- {words['judge.median']}: 0.7" in lines
        assert f"- {words['judge.seed_sensitive']}: {yes}" in lines
    honest = make_judgement(scores=(replace(made, seed_sensitive=False, **spread),))
    assert "seed-sensitive" not in describe_judgement(honest, Path("kept"))
