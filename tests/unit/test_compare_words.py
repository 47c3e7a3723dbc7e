"""What comparing says, in every language: each sentence is there, and takes the values that it is given."""

import ast
from pathlib import Path
from string import Formatter

import pytest

import reprobox
from reprobox.compare import NotComparable, Remark, make_remark
from reprobox.languages import list_languages, load_language, make_reason

PACKAGE = Path(reprobox.__file__).parent
SAYING = ("NotComparable", "make_remark", "make_difference")


def list_said():
    """Yield every sentence that the code says: where, its key, and the names of its values."""
    for path in (*sorted((PACKAGE / "compare").glob("*.py")), PACKAGE / "verify.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
                key = node.args[1 if node.func.id == "make_difference" else 0]
                if isinstance(key, ast.Constant):
                    names = frozenset(word.arg for word in node.keywords)
                    yield pytest.param(key.value, names, id=f"{path.name}:{node.lineno}")


@pytest.mark.parametrize(("key", "names"), list(list_said()))
def test_every_sentence_is_there_with_its_values(key, names):
    for code in list_languages():
        text = load_language(code).texts[f"compared.{key}"]
        wanted = {name for _, name, _, _ in Formatter().parse(text) if name}
        assert names - {None} <= wanted
        assert wanted == names or None in names  # values that are handed on as a mapping


def test_there_are_many():
    assert len(list(list_said())) > 80


def test_remarks_are_told_in_each_language():
    remark = Remark(make_reason("library_missing", package="h5py"), "a.zip: b.h5")
    assert remark.tell(load_language("en")) == "a.zip: b.h5: compared by bytes: to look inside, install h5py"
    assert "h5py の導入" in remark.tell(load_language("ja"))
    assert make_remark("ends_early")[0].tell(load_language("ja")) == "途中で終わっている"


def test_a_file_that_cannot_be_read_says_why_in_english():
    assert str(NotComparable("bytes_more", bytes=7, most=5)) == "it has 7 bytes; more than 5 are not read"
