"""No value breaks out of the line of a Dockerfile it is put in."""

import json

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
