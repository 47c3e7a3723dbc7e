"""Numbers and names that look alike are told apart: in JSON, tables, texts, arrays and tensors."""

import json

import numpy as np
import pytest
from made_files import Storage, archive, npy, pickled, safetensors, safetensors_with, torch_archive

from reprobox.compare import Result, Tolerance

A = np.arange(4, dtype="float32")

DIFFERENT_JSON = {
    "signs of zeros": ('{"a": 0.0}', '{"a": -0.0}'),
    "a key with a point": ('{"a.b": 1}', '{"a": {"b": 1}}'),
    "a key with brackets": ('{"[0]": 1}', "[1]"),
    "an empty key": ('{"": {"a": 1}}', '{"a": 1}'),
    "an empty list and what is said of one": ('{"a": []}', '{"a": "an empty list"}'),
    "an empty list and an empty object": ('{"a": []}', '{"a": {}}'),
    "digits beyond a float's": ("[0.1234567890123456789012]", "[0.1234567890123456789999]"),
    "more than a float and infinity": ("[1e400]", "[Infinity]"),
    "more than a float and its text": ("[1e400]", '["1e400"]'),
    "less than a float and nothing": ("[1e-400]", "[0.0]"),
    "an exponent beyond everything": ("[0e-99999999999999999999]", "[0e-99999999999999999998]"),
}


@pytest.mark.parametrize("title", DIFFERENT_JSON)
def test_json_that_differs_is_different(compare, title):
    one, other = (text.encode() for text in DIFFERENT_JSON[title])
    found = compare("x.json", one, other)
    assert (found.result, found.tolerable) == (Result.DIFFERENT, title == "signs of zeros"), found


def test_json_that_is_the_same_is_the_same(compare):
    texts = (
        '{"a": [-0.0, 2.50, NaN, 1e400], "b": 0.1234567890123456789012}',
        '{"b": 0.1234567890123456789012, "a": [-0.0, 2.5, NaN, 1e400]}',
    )
    assert compare("x.json", *(text.encode() for text in texts)).result is Result.SAME_CONTENT


def test_digits_beyond_a_floats_have_a_tolerance(compare):
    one, other = b"[0.1234567890123456789012]", b"[0.12345678901234567]"
    found = compare("x.json", one, other, Tolerance(relative=1e-15))
    assert (found.result, found.tolerable) == (Result.DIFFERENT, True)
    assert found.differences[0].what == "0.1234567890123456789012 against 0.12345678901234567"


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_a_key_that_is_there_twice_is_refused(compare, name):
    assert "the key 'a' twice" in compare(name, b'{"a": 1, "a": 2}', b'{"a": 2}').note


DIFFERENT_CELLS = {
    "digits beyond a float's": ("0.12345678901234567890", "0.12345678901234567999"),
    "a whole number and its neighbour": ("9007199254740993", "9007199254740992.0"),
    "more than a float": ("1234e567", "9999e999"),
    "more than a float and infinity": ("1e999", "inf"),
    "an exponent beyond everything": ("0e99999999999999999999", "0.0"),
}


@pytest.mark.parametrize("title", DIFFERENT_CELLS)
def test_cells_that_differ_are_different(compare, title):
    one, other = (f"a,b\n{cell},1\n".encode() for cell in DIFFERENT_CELLS[title])
    found = compare("x.csv", one, other)
    assert (found.result, found.tolerable, len(found.differences)) == (Result.DIFFERENT, False, 1), found


def test_cells_that_are_one_number_are_the_same(compare):
    one, other = b"a,b\n1.10,Inf\n1e2,nan\n", b"a,b\n1.1,inf\n100.0,NaN\n"
    assert compare("x.csv", one, other).result is Result.SAME_CONTENT


def test_cells_that_no_float_tells_apart_are_measured(compare):
    one, other = b"a,b\n0.5,1\n9007199254740993,1\n", b"a,b\n0.25,1\n9007199254740992.0,1\n"
    (found,) = compare("x.csv", one, other).differences
    assert found.numbers.differing == 2
    assert (found.numbers.max_absolute, found.numbers.first) == (1.0, "row 1")


def test_an_empty_row_of_one_column_is_a_cell(compare):
    assert compare("x.csv", b"a\n1\n\n2\n", b"a\n1\n2\n").result is Result.DIFFERENT
    assert compare("x.csv", b"a\n1\n\n2\n", b"a\r\n1\r\n\r\n2\r\n").result is Result.SAME_CONTENT
    assert compare("x.csv", b"a,b\n1,2\n\n3,4\n", b"a,b\n1,2\n3,4\n").result is Result.SAME_CONTENT


def test_numbers_that_no_float_is_for_are_words(compare):
    one, other = b"loss 0.5\nloss 1234.0e567\n", b"loss 0.6\nloss 9999.0e999\n"
    assert not compare("log.txt", one, other, Tolerance(absolute=1)).tolerable


@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="this machine has none")
def test_long_doubles_that_no_float_tells_apart_are_not_tolerable(compare):
    one = np.array([1], np.longdouble)
    found = compare("x.npy", npy(one), npy(one + np.finfo(np.longdouble).eps))
    assert not found.tolerable
    assert found.differences[0].numbers.max_absolute == float(np.finfo(np.longdouble).eps)
    assert compare("x.npy", npy(one), npy(one + np.finfo(np.longdouble).eps), Tolerance(absolute=1e-9)).tolerable


def tensor(dtype, begin, end):
    return {"dtype": dtype, "shape": [end - begin], "data_offsets": [begin, end]}


def test_types_of_eight_bits_are_told_apart(compare):
    one, other = (
        safetensors_with(json.dumps({"a": tensor(kind, 0, 4)}).encode(), bytes(4)) for kind in ("F8_E4M3", "F8_E5M2")
    )
    (found,) = compare("x.safetensors", one, other).differences
    assert found.what == "the type is float8_e4m3 against float8_e5m2"


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ([(0, 4), (0, 4)], "overlap"),
        ([(0, 4), (2, 8)], "overlap"),
        ([(0, 2), (4, 8)], "leave bytes between"),
        ([(2, 8)], "leave bytes between"),
        ([(0, 4)], "bytes behind"),
    ],
)
def test_tensors_that_do_not_follow_one_another_are_refused(compare, places, reason):
    header = json.dumps({str(index): tensor("U8", *place) for index, place in enumerate(places)}).encode()
    one, other = (safetensors_with(header, bytes([number] * 8)) for number in range(2))
    assert reason in compare("x.safetensors", one, other).note


def test_tensors_of_no_elements_are_read(compare):
    one, other = (safetensors(none=A[:0], a=A + number) for number in range(2))
    assert [item.part for item in compare("x.safetensors", one, other).differences] == ["a"]


def test_a_tensor_that_is_there_twice_is_refused(compare):
    entry = json.dumps(tensor("U8", 0, 4))
    one = safetensors_with(f'{{"a": {entry.replace("U8", "I8")}, "a": {entry}}}'.encode(), bytes(4))
    other = safetensors_with(f'{{"a": {entry}}}'.encode(), bytes(4))
    assert "the key 'a' twice" in compare("x.safetensors", one, other).note


def test_names_of_tensors_are_shown_as_they_are(compare):
    one, other = (safetensors(**{"layer.0\\w": A + number}) for number in range(2))
    assert [item.part for item in compare("x.safetensors", one, other).differences] == ["layer.0\\w"]


def with_order(order, number):
    return torch_archive(a=A + number, extra=A, beside={"byteorder": order})


def test_the_order_of_bytes_counts(compare):
    assert compare("x.pt", with_order(b"little", 0), with_order(b"big", 0)).result is Result.DIFFERENT
    assert compare("x.pt", with_order(b"little", 0), torch_archive(a=A, extra=A)).result is Result.SAME_CONTENT
    assert "in which order" in compare("x.pt", with_order(b"other", 0), with_order(b"big", 0)).note


def test_numbers_with_the_larger_end_first_are_read(compare):
    big = A.astype(">f4").view("float32")
    one, other = (torch_archive(a=array, beside={"byteorder": b"big"}) for array in (A, big))
    (found,) = compare("x.pt", other, one).differences
    assert found.numbers.differing == 3


def test_a_file_called_like_what_is_said_of_a_pickle_is_refused(compare):
    one, other = (torch_archive(a=A + number, beside={"kind": b"x"}) for number in range(2))
    assert "a file called 'kind'" in compare("x.pt", one, other).note


def test_storages_of_unknown_kinds_are_refused(compare):
    one, other = (torch_archive(a=A + number, kind="DecimalStorage") for number in range(2))
    assert "a kind that is not read: DecimalStorage" in compare("x.pt", one, other).note


def test_storages_of_other_kinds_are_different(compare):
    one, other = (
        archive({"archive/data.pkl": pickled([Storage("0", 4, kind)]), "archive/data/0": A.tobytes()})
        for kind in ("FloatStorage", "IntStorage")
    )
    assert compare("x.pt", one, other).differences[0].what == "the type is <f4 against <i4"


def test_names_in_archives_of_arrays_are_shown_as_they_are(compare):
    one, other = (archive({"a.b (2).npy": npy(A + number)}) for number in range(2))
    assert [item.part for item in compare("x.npz", one, other).differences] == ["a.b (2)"]
