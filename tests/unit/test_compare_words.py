"""Every sentence that says how files differ is there in every language, and none is there for nothing."""

import json
import pickle
import string

import numpy as np
import pytest
from made_files import archive, npy, safetensors

from reprobox.languages import list_languages, load_language

FORTRAN = np.asfortranarray(np.arange(6.0).reshape(2, 3))
ONE = np.arange(3.0)
OTHER = np.array([0.0, 1.0, 2.5])
# name, one file, the other, the keys of the sentences, English
CASES = {
    "a member only one has": ("x.zip", archive({"a": b"1", "b": b"2"}), archive({"a": b"1"}), ["only_first"]),
    "a member only the other has": ("x.zip", archive({"a": b"1"}), archive({"a": b"1", "b": b"2"}), ["only_second"]),
    "a key": ("x.json", b'{"a": 1, "b": 2}', b'{"a": 1}', ["only_first_has"]),
    "another key": ("x.json", b'{"a": 1}', b'{"a": 1, "b": 2}', ["only_second_has"]),
    "keys": ("x.json", json.dumps(dict.fromkeys("abcde")).encode(), b'{"a": null}', ["only_first_has_more"]),
    "other keys": ("x.json", b'{"a": null}', json.dumps(dict.fromkeys("abcde")).encode(), ["only_second_has_more"]),
    "bytes": ("x.bin", b"\0\1\2", b"\0\1\3", ["bytes_at"]),
    "bytes inside": ("x.pkl", pickle.dumps(1) + b"a", pickle.dumps(1) + b"bc", ["bytes"]),
    "kinds": ("x.json", b'{"a": 1}', b'{"a": {}}', ["kinds"]),
    "values": ("x.json", b'{"a": 1}', b'{"a": 2}', ["values"]),
    "types": ("x.npy", npy(ONE), npy(ONE.astype("f4")), ["type"]),
    "shapes": ("x.npy", npy(ONE), npy(ONE[:2]), ["shape"]),
    "orders": ("x.npy", npy(FORTRAN), npy(np.ascontiguousarray(FORTRAN)), ["order"]),
    "elements": ("x.npy", npy(np.array(["a", "b"])), npy(np.array(["a", "c"])), ["elements"]),
    "numbers": ("x.safetensors", safetensors(w=ONE.astype("f4")), safetensors(w=OTHER.astype("f4")), ["numbers"]),
    "numbers of a table": ("x.csv", b"a\n0.5\n", b"a\n0.25\n", ["numbers_row"]),
    "numbers of a text": ("x.log", b"loss 0.5\n", b"loss 0.25\n", ["lines", "line", "numbers_line"]),
    "columns": ("x.csv", b"a,b\n1,2\n", b"a,b,c\n1,2,3\n", ["columns"]),
    "the order of columns": ("x.csv", b"a,b\n1,2\n", b"b,a\n2,1\n", ["column_order"]),
    "names of columns": ("x.csv", b"a,b\n1,2\n", b"a,c\n1,2\n", ["column_name"]),
    "cells": ("x.csv", b"a\nx\n", b"a\ny\n", ["cells", "row"]),
    "uneven rows": ("x.csv", b"a,b\n1,2\n", b"a,b\n1,2,3\n", ["row_cells"]),
    "rows": ("x.csv", b"a\n1\n2\n", b"a\n1\n", ["rows_missing_second"]),
    "other rows": ("x.csv", b"a\n1\n", b"a\n1\n2\n", ["rows_missing_first"]),
    "lines": ("x.txt", b"a\nb\n", b"a\n", ["lines", "line_only_first"]),
    "other lines": ("x.txt", b"a\n", b"a\nb\n", ["lines", "line_only_second"]),
}  # fmt: skip


def keys(found):
    return [said.key for one in found.differences for said in one.said]


@pytest.mark.parametrize("case", CASES)
def test_a_difference_is_told_in_every_language(compare, case):
    name, one, other, wanted = CASES[case]
    found = compare(name, one, other)
    assert keys(found) == wanted
    told = {code: [item.tell(load_language(code)) for item in found.differences] for code in list_languages()}
    assert told["en"] == [item.what for item in found.differences]
    for item in found.differences:
        for said in item.said:
            for code in list_languages():
                fields = {
                    field for _, field, *_ in string.Formatter().parse(load_language(code)[f"compared.{said.key}"])
                }
                assert fields - {None} <= dict(said.values).keys()


def test_no_sentence_is_there_for_nothing():
    made = {key for *_, wanted in CASES.values() for key in wanted}
    for code in list_languages():
        assert {f"compared.{key}" for key in made} == {
            key for key in load_language(code).texts if key.startswith("compared.")
        }


def test_the_sentences_of_the_terminal(compare):
    (found,) = compare("x.log", b"loss 0.5\nend\n", b"loss 0.25\nend\n").differences
    assert found.what == (
        "1 of 2 lines differ; line 1: 'loss 0.5' against 'loss 0.25';"
        " 1 of 1 differ, by at most 0.25 (relative 0.5), the first at line 1"
    )
    (found,) = compare("x.txt", b"a\nb\n", b"a\n").differences
    assert found.what == "1 of 2 lines differ; line 2: 'b' in the first only"
