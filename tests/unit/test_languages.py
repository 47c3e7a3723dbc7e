"""Sentences by their keys: told in any language, and known again by their English."""

import time
from string import Formatter

import pytest

from reprobox.languages import list_languages, load_language, make_reason, recognize

ENGLISH = load_language("en")
SENTENCES = {key.partition(".")[2]: text for key, text in ENGLISH.texts.items() if key.startswith("reason.")}


def make(key):
    names = {name for _, name, _, _ in Formatter().parse(SENTENCES[key]) if name}
    return make_reason(key, **{name: f"<{name}> 1.5" for name in sorted(names)})


def is_anybodys(key):
    return sum(letter.isalpha() for words, *_ in Formatter().parse(SENTENCES[key]) for letter in words) < 5


@pytest.mark.parametrize("key", [key for key in SENTENCES if not is_anybodys(key)])
def test_a_sentence_is_known_again(key):
    reason = make(key)
    found = recognize(ENGLISH.fill(reason))
    for code in list_languages():
        assert load_language(code).fill(found) == load_language(code).fill(reason)


@pytest.mark.parametrize(
    "text", ["", "nobody's", "3 files", "declared.", "single_command", "{text}", "level {level}", "it rests on this"]
)
def test_what_no_language_has_is_no_sentence(text):
    assert recognize(text) is None


def test_a_text_of_any_length_is_looked_at_once():
    began = time.process_time()
    assert recognize("3 files, sha256 " + "…, on ; ".join(["a"] * 500_000)) is None
    assert time.process_time() - began < 5
