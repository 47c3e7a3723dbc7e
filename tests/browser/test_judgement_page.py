"""What a judge reads, in a real browser: the numbers are those that are kept, and it fits a phone."""

import io
import json
from types import SimpleNamespace

import pytest
from made_judgements import make_judgement
from made_report import make_full_report

from reprobox.console import PlainReporter
from reprobox.handover import print_pages
from reprobox.judging.batch import BatchRow, rank_rows
from reprobox.judging.judgement import format_judgement
from reprobox.judging.page import format_pages
from reprobox.judging.summary import format_page
from reprobox.judging.terms import Contest, Metric
from reprobox.languages import list_languages, load_language
from reprobox.report.build import build_report
from reprobox.report.check import check_report
from reprobox.report.json_text import format_report
from reprobox.report.layout import lay_out
from reprobox.report.render import format_html

WIDE = 375
"""Of a phone, in CSS pixels."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def find(value, path):
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.parametrize("code", list_languages())
def test_the_numbers_of_a_judgement_are_those_that_are_kept(open_page, tmp_path, code):
    judgement = make_judgement()
    pages = dict(format_pages(judgement, load_language(code)))
    path = tmp_path / "judgement.html"
    path.write_text(pages[f"judgement.{code}.html"], "utf-8")
    page = open_page(path, WIDE)
    assert page.evaluate(OVERFLOW) == 0
    kept = json.loads(format_judgement(judgement))
    shown = dict(
        page.eval_on_selector_all("data[data-path]", "all => all.map(one => [one.dataset.path, one.innerText])")
    )
    assert float(shown["scores.0.claimed"]) == find(kept, "scores.0.claimed")
    assert float(shown["scores.0.judged"]) == find(kept, "scores.0.judged")
    assert shown["agreement.with_claim"] == f"{100 * find(kept, 'agreement.with_claim'):.2f} %"
    assert shown["verdict"] == kept["verdict"]
    assert int(shown["runs.0.seed"]) == find(kept, "runs.0.seed")
    texts = load_language(code).texts
    assert shown["parted.files.0.result"] == texts["judge.different"]
    assert shown["parted.files.0.differing_parts"] == "2 / 3"
    assert find(kept, "parted.files.0.differing_parts") == 2
    first = find(kept, "parted.files.0.differences.0")
    assert (first["numbers"]["differing"], first["numbers"]["max_relative"]) == (2, "inf")
    assert "[0, 1]" in shown["parted.files.0.differences.0.what"]
    assert (code == "en") == (shown["parted.files.0.differences.0.what"] == first["what"])
    assert page.requests == [path.as_uri()]


def test_the_summary_of_many_entries_shows_each_with_its_ranks(open_page, tmp_path):
    rows = [
        BatchRow("a.reprobox", "first", "IDENTICAL", "same", 0, claimed=0.75, judged=0.75, seconds=1.5),
        BatchRow("b.reprobox", "second", "CONSISTENT", "band", 0, claimed=0.9, judged=0.5, seconds=2.0),
        BatchRow("c.reprobox", "", "REFUSED", "<b>the archive ends</b> " + "x" * 300, 8),
    ]
    contest = Contest(name="Food", metric=Metric("accuracy"))
    path = tmp_path / "summary.html"
    path.write_text(format_page(rank_rows(rows, contest), contest), "utf-8")
    page = open_page(path, WIDE)
    assert page.evaluate(OVERFLOW) == 0
    cells = page.eval_on_selector_all("tbody tr", "all => all.map(one => [...one.cells].map(cell => cell.innerText))")
    assert [line[1] for line in cells] == ["IDENTICAL", "CONSISTENT", "REFUSED"]
    assert [line[2:6] for line in cells[:2]] == [["0.75", "0.75", "2", "1"], ["0.9", "0.5", "1", "2"]]
    assert cells[2][7].startswith("<b>the archive ends</b>")
    assert page.requests == [path.as_uri()]


@pytest.mark.parametrize("code", list_languages())
def test_what_an_entrant_wrote_is_text_on_the_page_that_is_made_of_its_report(open_page, tmp_path, code):
    text = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
    value = json.loads(format_report(make_full_report(), load_language("en")))
    value["u_environment"]["method"]["text"] = value["title"]["text"] = text
    value["checklist"][0]["reason"] = value["u_environment"]["system"]["kernel"] = text
    assert check_report(value) == ()
    language = load_language(code)
    path = tmp_path / "entrant-report.html"
    path.write_text(format_html(lay_out(build_report(value), language), language), "utf-8")
    page = open_page(path, WIDE)
    assert page.title() == text
    assert page.evaluate("() => document.scripts.length + document.images.length") == 0
    assert page.inner_text("body").count("document.title") >= 6
    assert page.evaluate(OVERFLOW) == 0
    assert page.requests == [path.as_uri()]


def test_a_browser_that_fails_is_a_warning_and_what_is_printed_is_not_printed_again(tmp_path):
    said = io.StringIO()
    settings = SimpleNamespace(reporter=PlainReporter(said))
    for code in list_languages():
        (tmp_path / f"judgement.{code}.html").write_text("<p>x</p>")
    printed = tmp_path / "judgement.en.pdf"
    printed.write_bytes(b"before")
    print_pages(tmp_path, "false", settings)
    assert "false did not print the page: exit code 1" in said.getvalue()
    assert printed.read_bytes() == b"before"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".html", ".html", ".pdf"]
