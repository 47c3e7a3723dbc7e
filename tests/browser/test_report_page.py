"""A report's page in a real browser: its numbers are the record's, it fits a phone, and it prints."""

import io
import json
import re
import unicodedata

import pytest
from made_report import make_full_report
from pypdf import PdfReader

from reprobox.languages import list_languages, load_language
from reprobox.report.json_text import format_report
from reprobox.report.layout import lay_out
from reprobox.report.pdf import print_pdf
from reprobox.report.render import format_html

LANGUAGES = list_languages()
_UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "s": 1, "秒": 1, "%": 0.01, "": 1}
NUMBERS = {
    "e_seed.declared.seed",
    "extra.claim.value",
    "extra.costs.stages.1.peak_memory",
    "extra.metrics.values.rmse",
    "extra.sweep.metrics.0.band_high",
    "extra.verification.agreeing",
    "extra.verification.bound",
    "i_contributions.rows.2.importance",
    "u_environment.hardware.host_memory_capacity",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report = make_full_report()
    (folder / "report.json").write_text(format_report(report, load_language("en")), "utf-8")
    for code in LANGUAGES:
        language = load_language(code)
        (folder / f"report.{code}.html").write_text(format_html(lay_out(report, language), language), "utf-8")
    return folder


def find(report, path):
    for key in path.split("."):
        report = report[int(key)] if isinstance(report, list) else report[key]
    return report


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_value_is_the_reports_and_every_number_says_it(open_page, folder, code):
    report = json.loads((folder / "report.json").read_text("utf-8"))
    page = open_page(folder / f"report.{code}.html", 1100)
    script = "all => all.map(one => [one.dataset.path, one.value, one.innerText])"
    shown = page.eval_on_selector_all("data[data-path]", script)
    numbers = 0
    for path, raw, text in shown:
        value = find(report, path)
        assert json.loads(raw) == value, path
        if type(value) in (int, float):
            numbers += 1
            found = re.fullmatch(r"(-?[\d.]+(?:e[-+]\d+)?)\s?(\S*)", text.strip())
            assert found, (path, text)
            assert float(found[1]) * _UNITS[found[2]] == pytest.approx(value, rel=0.05, abs=0.05), path
    assert numbers > 60
    assert {path for path, _, _ in shown} >= NUMBERS


@pytest.mark.parametrize("code", LANGUAGES)
def test_it_fits_a_phone(open_page, folder, code):
    page = open_page(folder / f"report.{code}.html", 375)
    width, room = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room == 375
    outside = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll, pre, svg'))
            .filter(one => one.getBoundingClientRect().right > 376).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert outside == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_it_asks_for_nothing_else(open_page, folder, code):
    page = open_page(folder / f"report.{code}.html", 1100)
    assert len(page.requests) == 1
    assert page.evaluate("() => document.scripts.length") == 0


def test_the_pictures_are_there(open_page, folder):
    page = open_page(folder / "report.ja.html", 1100)
    assert page.locator("svg.strip").count() == 1
    assert page.locator("svg.strip circle").count() == 9
    assert page.locator(".bars").count() == 4
    widths = page.eval_on_selector_all(".bars rect", "all => all.map(one => one.getBoundingClientRect().width)")
    assert max(widths) > 100
    assert min(widths) > 0


def test_it_prints_with_words_that_can_be_searched(chromium, folder):
    html = (folder / "report.ja.html").read_text("utf-8")
    first, second = (print_pdf(chromium, html) for _ in range(2))
    assert first == second
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(first)).pages)
    # Browsers write some characters as the radicals that look like them: readers of PDF search for both.
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    for words in ("ソースコード及び再現手順", "各説明変数の寄与度", "乱数シード", "来場者数の予測", "気温(℃)"):
        assert unicodedata.normalize("NFKC", words) in text
    assert "sha256:" + "1" * 64 in text
