"""A report in words: every language whole, nothing that anybody wrote becomes markup, the same bytes each time."""

import re
import string
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_report import change_record, make_full_report, make_record, make_sources, make_verification

from reprobox.contributions.model import Contribution, Contributions, Status
from reprobox.errors import UsageError
from reprobox.languages import choose_languages, list_languages, load_language
from reprobox.records import OutputFile, Suspect
from reprobox.report.json_text import format_report, report_to_json, show_plain
from reprobox.report.layout import lay_out
from reprobox.report.make import make_report
from reprobox.report.render import format_html, format_markdown
from reprobox.report.schema import list_names, report_schema
from reprobox.templating import fill_template, templates_folder

ROOT = Path(__file__).parents[2]
ENGLISH = load_language("en")
HOSTILE = (
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "</style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}{#",
    "{0.__class__} {name} %s",
    "| --- |\n# heading\n\n- item",
    "[x](javascript:alert(1)) ![y](http://a.example/b.png) <http://a.example>",
    "```\ncode\n```",
    "`` ` ``",
    "\x1b[31mred\x07\0",
    "\u202egnp.exe",
    "\udc80\ud800",
    "&amp; &lt;",
    "長い" * 400,
)  # fmt: skip


def render(report, code="en"):
    language = load_language(code)
    document = lay_out(report, language)
    return format_markdown(document, language), format_html(document, language)


def make_hostile(text):
    """Return a report that has a text wherever somebody else can put one."""
    named = text if text.strip() and "\n" not in text else text.replace("\n", " ")
    row = Contribution(text, 1.0, None, 1, text, text, text, text, None, None, text, text, text)
    process = {"role": "main", "stage": text, "backends": {text: {"seed": 1, "version": text, "detail": text}},
               "switches": {text: {"wanted": text, "value": text, "status": text}}}  # fmt: skip
    sources = make_sources(contributions=Contributions(Status.COMPUTED, "", (row,), {text: 1.0}, None, text, text))
    record = make_record(sources.plan)
    sources = change_record(
        sources,
        outputs=(OutputFile(text, "0" * 64, 1),),
        suspects=(Suspect(text, text, 1, text),),
        metrics={text: 1.0},
        warnings=(text,),
        environment={"XLA_FLAGS": text},
        host=replace(record.host, cpu_model=text, kernel=text),
        runtime=replace(record.runtime, processes=(process,), warnings=(text,)),
    )
    declared = replace(sources.declared.declared, title=named, author=named, method=text, background=text)
    verification = replace(make_verification(), reason=text, against=text)
    return make_report(
        replace(sources, declared=replace(sources.declared, declared=declared), verification=verification)
    )


def tame(text):
    """Return a text of as many lines that can do no harm."""
    return re.sub(r"[^\n]+", "harmless", text)


class Elements(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("code", ["en", "ja"])
def test_no_text_becomes_an_element_of_the_page(text, code):
    _, harmless = render(make_hostile(tame(text)), code)
    _, page = render(make_hostile(text), code)
    assert Elements(page).found == Elements(harmless).found
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", page)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_becomes_markup_in_markdown(text):
    harmless, _ = render(make_hostile(tame(text)))
    written, _ = render(make_hostile(text))
    assert shape(written) == shape(harmless)
    outside = re.sub(r"(`+)[^`].*?\1|^```+.*?^```+", "", written, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<(?!/?sub>)", outside)
    assert not re.search(r"(?<!\\)\]\(|(?<!\\)!\[", outside)


def shape(text):
    """Return the headings, and how many columns each row of each table has."""
    lines = re.sub(r"^(```+)text$.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE).splitlines()
    headings = [line.split(" ")[0] for line in lines if line.startswith("#")]
    return headings, [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")]


def test_a_page_reaches_nothing_and_has_no_script():
    _, page = render(make_full_report())
    assert not re.search(r"https?://|//[a-z]|<script|<link|<img|<iframe|@import|url\((?!#)", page)
    assert "default-src 'none'" in page


def test_what_no_reader_sees_is_made_visible():
    assert show_plain("a\x1b\u202e\ud800\nü 日本\u3000語") == "a\\x1b\\u202e\\ud800\nü 日本\u3000語"


@pytest.mark.parametrize("code", list_languages())
def test_everything_is_the_same_each_time(code):
    assert render(make_full_report(), code) == render(make_full_report(), code)


class TestLanguages:
    def test_there_are_as_many_as_files_and_the_contests_two_are_among_them(self):
        files = {path.stem for path in (templates_folder() / "report" / "lang").iterdir()}
        assert set(list_languages()) == files
        assert {"ja", "en"} <= files

    @pytest.mark.parametrize("code", list_languages())
    def test_each_has_every_text_with_the_same_values_to_fill_in(self, code):
        language = load_language(code)
        assert language.texts.keys() == ENGLISH.texts.keys()
        for key, text in language.texts.items():
            assert fields(text) == fields(ENGLISH[key]), key
            assert text.strip() == text != ""

    @pytest.mark.parametrize("code", list_languages())
    @pytest.mark.parametrize(
        "sources",
        [
            make_sources(),
            make_sources(declared="", contributions=None, verification=None, sweep=None, sweep_file=None, git=None),
            change_record(make_sources(declared="randomness: {none: x}\n"), level="off", outputs=(), stages=()),
        ],
        ids=["full", "bare", "off"],
    )  # fmt: skip
    def test_each_can_say_every_report(self, code, sources):
        written, page = render(make_report(sources), code)
        assert f'<html lang="{code}">' in page
        assert "None" not in written

    def test_the_contests_headings_stand_in_its_order_in_japanese(self):
        written, _ = render(make_full_report(), "ja")
        headings = re.findall(r"^## (.*)$", written, re.MULTILINE)
        assert headings[:4] == [
            "ア ソースコード及び再現手順",
            "イ 各説明変数の寄与度",
            "ウ 実行環境(OS、ソフトウェア、分析手法)",
            "エ 乱数シード",
        ]

    def test_no_text_is_there_that_nothing_shows(self):
        names = set(list_names(report_schema())) | {"run_id", "run_started", "run_image_digest", "run_reprobox"}
        special = {f"{title}_{name}" for title in titles() for name in names}
        assert {key.removeprefix("field.") for key in ENGLISH.texts if key.startswith("field.")} <= names | special

    def test_every_text_is_used(self):
        paths = [*(ROOT / "reprobox").rglob("*.py"), *(templates_folder() / "report").glob("*.j2")]
        code = "\n".join(path.read_text("utf-8") for path in paths)
        for key in ENGLISH.texts:
            group, name = key.split(".", 1)
            if group in ("page", "advice", "caption", "word"):
                assert re.search(rf"\b{group}\.{name}\b|[\"']{name}[\"']", code), key
            elif group == "judged":
                assert name == "and" or f'"{name}"' in code, key
            elif group in ("title", "reason", "item"):
                stem = re.sub(r"^(model|predictions|note_no)_|_(declared|undeclared|external|picture)$", "", name)
                assert re.search(rf"\b{name}\b|\b{stem}\b", code), key

    def test_every_sentence_of_a_judgement_is_in_the_languages(self):
        code = "\n".join(path.read_text("utf-8") for path in (ROOT / "reprobox" / "judging").glob("*.py"))
        keys = set(re.findall(r"make_reason\(\s*\"(\w+)\"", code))
        assert len(keys) > 30
        assert {f"judged.{key}" for key in keys} <= ENGLISH.texts.keys()

    def test_an_unknown_language_is_told(self):
        with pytest.raises(UsageError, match="there is no language 'de'"):
            choose_languages("ja,de")
        assert [one.code for one in choose_languages("ja, en,ja")] == ["ja", "en"]


def titles():
    return {key.removeprefix("title.") for key in ENGLISH.texts if key.startswith("title.")}


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_markdown_keeps_what_a_person_wrote_readable():
    written = fill_template("report/entry_points.md.j2", build="a", single="b|`c`", stages=[("1. x", "d", "e")])
    assert "1\\. x" in written
    assert "`` b|`c` ``" in written


def test_what_is_declared_is_marked_in_every_format():
    written, page = render(make_full_report())
    assert "### Analysis method [declared]" in written
    assert re.search(r'<h3>Analysis method</h3><span class="origin declared">declared</span>', page)
    assert report_to_json(make_full_report(), ENGLISH)["u_environment"]["method"]["origin"] == "declared"


def test_every_report_is_valid_json_of_the_schema_even_with_hostile_texts():
    from reprobox.report.check import check_report
    from reprobox.report.check_read import parse_report

    for text in HOSTILE:
        data = format_report(make_hostile(text), ENGLISH).encode("utf-8", "backslashreplace")
        assert check_report(parse_report(data)) == (), text
