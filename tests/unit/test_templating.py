"""No value breaks out of the line of a Dockerfile it is put in."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from reprobox.templating import _environment as environment
from reprobox.templating import fill_template, read_template, templates_folder


def test_every_template_is_found():
    assert (templates_folder() / "Dockerfile.j2").is_file()
    assert "FROM" in read_template("Dockerfile.j2")


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError):
        fill_template("Dockerfile.j2", name="x")


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc"))))
def test_an_env_value_stays_inside_its_quotes(text):
    quoted = environment().filters["env_value"](text)
    inner = quoted[1:-1].replace("\\\\", "").replace('\\"', "").replace("\\$", "")
    assert quoted[0] == quoted[-1] == '"'
    assert '"' not in inner
    assert "$" not in inner
    assert not inner.endswith("\\")


@given(st.lists(st.text()))
def test_an_exec_form_is_one_line_of_json(words):
    text = environment().filters["exec_form"](words)
    assert json.loads(text) == words
    assert "\n" not in text


def test_a_page_escapes_everything_and_nothing_twice():
    page = environment().overlay(autoescape=True)
    assert page.from_string("{{ '<' }}{{ '<' | xml }}").render() == "&lt;&lt;"
    assert environment().get_template("report/report.html.j2").environment.autoescape("report/report.html.j2")


@given(st.text(alphabet="`a |\\"))
def test_a_code_span_ends_where_its_text_does(text):
    span = environment().filters["md_code"](text)
    fence = re.match("`+", span)[0]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert not re.search(f"(?<!`){fence}(?!`)", inner)
    assert inner.strip() == text.strip()


@given(st.lists(st.text(alphabet="`~a\n")))
def test_a_code_block_ends_where_its_lines_do(lines):
    first, *inner, last = environment().filters["md_fence"](lines).split("\n")
    assert first == last + "text"
    assert not [line for line in inner if line.startswith(last)]
