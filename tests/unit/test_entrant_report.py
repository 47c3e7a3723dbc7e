"""An entrant's report is read back as data, and its pages are our own."""

import json
from dataclasses import replace

import pytest
from made_report import make_full_report
from test_report_texts import HOSTILE, make_hostile, render

from reprobox.languages import list_languages, load_language
from reprobox.report.build import build_report
from reprobox.report.check import check_report
from reprobox.report.json_text import format_report, report_to_json
from reprobox.typed_json import Misfit

ENGLISH = load_language("en")


def read_back(report):
    return build_report(json.loads(format_report(report, ENGLISH)))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_read_back_is_what_was_written(text):
    report = make_hostile(text.encode("utf-8", "backslashreplace").decode())
    assert report_to_json(read_back(report), ENGLISH) == report_to_json(report, ENGLISH)


def test_its_english_page_is_the_one_that_was_written():
    assert render(read_back(make_full_report())) == render(make_full_report())


@pytest.mark.parametrize("code", list_languages())
def test_its_sentences_are_told_in_every_language(code):
    assert render(read_back(make_full_report()), code) == render(make_full_report(), code)


@pytest.mark.parametrize("code", list_languages())
def test_a_sentence_of_nobody_we_know_stays_as_it_was_written(code):
    data = json.loads(format_report(make_full_report(), ENGLISH))
    data["checklist"][0]["reason"] = "it {was} <b>so</b>"
    _, page = render(build_report(data), code)
    assert "it {was} &lt;b&gt;so&lt;/b&gt;" in page
    assert load_language(code)["heading.a_procedure"] in page


def test_items_in_another_order_keep_their_own_reasons():
    report = make_full_report()
    turned = replace(report, checklist=tuple(reversed(report.checklist)))
    value = json.loads(format_report(turned, ENGLISH))
    assert check_report(value) == ()
    assert build_report(value) == read_back(report)


@pytest.mark.parametrize(("path", "value"), [("name", 1), ("checklist.0.answer", "perhaps"), ("run", None)])
def test_another_value_is_no_report(path, value):
    data = json.loads(format_report(make_full_report(), ENGLISH))
    *folder, name = path.split(".")
    place = data
    for key in folder:
        place = place[int(key) if key.isdigit() else key]
    place[name] = value
    with pytest.raises(Misfit, match=r"is not what it should be"):
        build_report(data)


@pytest.mark.parametrize("number", [0, -1.5, 1e308, 5e-324, 10**300])
def test_no_number_that_keeps_the_rules_stops_a_page(number):
    data = json.loads(format_report(make_full_report(), ENGLISH))
    for name in data["extra"]["metrics"]["values"]:
        data["extra"]["metrics"]["values"][name] = number
    data["extra"]["claim"]["value"] = number
    data["i_contributions"] |= {"rows": data["i_contributions"]["rows"][:1]}
    data["i_contributions"]["rows"][0]["importance"] = number
    assert check_report(data) == ()
    assert render(build_report(data))
