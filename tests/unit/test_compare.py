"""Files are compared by what they mean, format by format, and nothing in them is ever executed."""

import bz2
import io
import lzma
import os
import pickle
import zipfile
import zlib

import numpy as np
import pytest
from made_files import EARLY, LATE, archive, gz, joblib_file, legacy_torch, npy, npz, safetensors, torch_archive

from reprobox.compare import Result, Tolerance

A = np.arange(12, dtype="float32").reshape(3, 4)
B = A.copy()
B[1, 2] = np.nextafter(B[1, 2], np.float32(100))
COUNTS = np.arange(5)


def test_the_same_bytes_are_not_looked_into(compare):
    found = compare("x.npy", b"no array at all", b"no array at all")
    assert (found.result, found.tolerable) == (Result.SAME_BYTES, True)


def pair(make):
    return make(A), make(B)


PAIRS = {
    "x.npy": (*pair(npy), ""),
    "x.npz": (*pair(lambda array: npz(other=A, weight=array)), "weight"),
    "x.safetensors": (*pair(lambda array: safetensors(weight=array)), "weight"),
    "x.pt": (*pair(lambda array: torch_archive(other=A, weight=array)), "weight"),
    "old.pth": (*pair(lambda array: legacy_torch((20, 10), other=A, weight=array)), "weight"),
    "x.joblib": (*pair(lambda array: joblib_file(other=A, weight=array)), "weight"),
    "x.pkl": (*pair(lambda array: pickle.dumps({"layers": [{"weight": array}]})), "layers[0].weight"),
    "x.zip": (*pair(lambda array: archive({"deep/w.npy": npy(array), "n.txt": b"1"})), "deep/w.npy"),
    "x.npy.gz": (*pair(lambda array: gz(npy(array), 0)), ""),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_array_that_differs_is_named_and_measured(compare, name):
    one, other, part = PAIRS[name]
    found = compare(name, one, other)
    assert (found.result, found.tolerable) == (Result.DIFFERENT, False), found
    assert [one.part for one in found.differences] == [part]
    numbers = found.differences[0].numbers
    assert (numbers.compared, numbers.differing, numbers.beyond, numbers.max_ulp) == (12, 1, 1, 1)
    assert (numbers.max_absolute, numbers.first) == (float(B[1, 2]) - 6.0, "[1, 2]")
    assert numbers.max_relative == pytest.approx(7.947e-8, rel=1e-3)


@pytest.mark.parametrize("name", PAIRS)
def test_within_the_tolerance_it_is_tolerable(compare, name):
    one, other, _ = PAIRS[name]
    found = compare(name, one, other, Tolerance(relative=1e-7))
    assert (found.result, found.tolerable) == (Result.DIFFERENT, True)
    assert not compare(name, one, other, Tolerance(relative=1e-9)).tolerable


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("x.npz", npz(EARLY, a=A), npz(LATE, a=A)),
        ("x.zip", archive({"a.txt": b"1", "b": b"\0"}, EARLY), archive({"b": b"\0", "a.txt": b"1"}, LATE)),
        ("x.pt", torch_archive(EARLY, a=A), torch_archive(LATE, a=A)),
        ("old.pt", legacy_torch((10, 20), a=A, b=B), legacy_torch((40, 30), a=A, b=B)),
        ("x.csv.gz", gz(b"a,b\n1,2\n", 1), gz(b"a,b\n1,2\n", 2)),
        ("x.json", b'{"a": 1, "b": [2.5]}', b'{"b":[2.50],"a":1}'),
        ("x.csv", b"a,b\n1,0.5\n", b'a,"b"\r\n1,0.50\r\n'),
        ("x.pkl", pickle.dumps({"a": A}, 2), pickle.dumps({"a": A}, 2).replace(b"\x80\x02", b"\x80\x03")),
        ("x.joblib", zlib.compress(joblib_file(a=A), 1), zlib.compress(joblib_file(a=A), 9)),
        (
            "x.keras",
            archive({"model.weights.h5": b"\x89HDF\r\n\x1a\n", "metadata.json": b'{"date_saved": "1", "v": 3}'}),
            archive({"model.weights.h5": b"\x89HDF\r\n\x1a\n", "metadata.json": b'{"date_saved": "2", "v": 3}'}),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_content_does_not_count(compare, name, one, other):
    assert one != other
    assert compare(name, one, other).result is Result.SAME_CONTENT


def differences(found):
    assert found.result is Result.DIFFERENT, found
    return {one.part: one.what for one in found.differences}


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (A, A.astype("float64"), "the type is <f4 against <f8"),
        (A, A.reshape(4, 3), "the shape is (3, 4) against (4, 3)"),
        (A, np.asfortranarray(A), "the elements are stored in another order"),
        (np.array([0.0]), np.array([-0.0]), "1 of 1 differ, by at most 0 (relative 0, 0 ulp), the first at [0]"),
        (
            np.array([1.0, np.nan]),
            np.array([1.0, 2.0]),
            "1 of 2 differ, by at most inf (relative inf), the first at [1",
        ),
        (COUNTS, COUNTS + np.array([0, 0, 0, 3, 1]), "2 of 5 differ, by at most 3 (relative 1), the first at [3]"),
        (np.array(["a", "b"]), np.array(["a", "c"]), "1 of 2 elements differ, the first at [1]"),
        (np.array(1 + 2j), np.array(1 + 2.5j), "1 of 2 differ, by at most 0.5"),
    ],
    ids=range(8),
)
def test_arrays_differ_in_many_ways(compare, one, other, what):
    told = differences(compare("x.npy", npy(one), npy(other)))[""]
    assert told.startswith(what)


def test_nan_is_nan(compare):
    quiet, loud = np.array([np.nan]), np.array([0x7FF8000000000001]).view("float64")
    assert npy(quiet) != npy(loud)
    assert compare("x.npy", npy(quiet), npy(loud)).result is Result.SAME_CONTENT


def test_whole_numbers_have_no_tolerance(compare):
    wide = Tolerance(relative=10, absolute=10)
    assert not compare("x.npy", npy(COUNTS), npy(COUNTS + 1), wide).tolerable
    assert not compare("x.csv", b"n\n5\n", b"n\n6\n", wide).tolerable
    assert not compare("x.json", b'{"n": 5}', b'{"n": 6}', wide).tolerable
    assert compare("x.json", b'{"n": 5.0}', b'{"n": 6.0}', wide).tolerable


def test_tables_are_compared_column_by_column(compare):
    one = b"id,score,label\n1,0.5,cat\n2,0.25,dog\n3,0.125,dog\n"
    other = b"id,score,label\n1,0.5,cat\n2,0.250001,dog\n3,0.125,cat\n"
    told = differences(compare("x.csv", one, other))
    assert told == {
        "score": "1 of 3 differ, by at most 1e-06 (relative 4e-06), the first at row 2",
        "label": "1 of 3 cells differ; row 3: 'dog' against 'cat'",
    }


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (b"a,b\n1,2\n", b"b,a\n1,2\n", "the columns stand in another order"),
        (b"a,b\n1,2\n", b"a,c\n1,2\n", "column 2 is named 'b' against 'c'"),
        (b"a,b\n1,2\n", b"a\n1\n", "they have not as many columns"),
        (b"a,b\n1,2\n", b"a,b\n1,2\n3,4\n", "1 of 2 rows are missing from the first"),
        (b"a,b\n1,2\n", b"a,b\n1\n", "row 1 has 2 cells against 1, of 2"),
        (b"a,b\n1,2\n", b"", "they have not as many columns"),
    ],
)
def test_tables_of_other_shapes_are_different(compare, one, other, what):
    assert differences(compare("x.csv", one, other))[""] == what


def test_a_table_without_a_header_has_numbered_columns(compare):
    assert differences(compare("x.tsv", b"1\t2.5\n3\t4.5\n", b"1\t2.5\n3\t4.25\n")) == {
        "column 2": "1 of 2 differ, by at most 0.25 (relative 0.0556), the first at row 2"
    }


def test_json_is_compared_leaf_by_leaf(compare):
    told = differences(compare("x.json", b'{"a": {"b": [1, "x"]}, "c": 2.5}', b'{"a": {"b": [1, "y"]}, "d": 2.5}'))
    assert told == {"": "only the second has d", "a.b[1]": "'x' against 'y'"}


def test_json_lines_are_named_by_their_line(compare):
    assert differences(compare("x.jsonl", b'{"loss": 1}\n{"loss": 2}\n', b'{"loss": 1}\n{"loss": 3}\n')) == {
        "line 2.loss": "2 against 3"
    }


def test_texts_that_differ_in_their_numbers_are_measured(compare):
    one, other = b"start\nepoch 1 loss 0.5\nepoch 2 loss 0.25\n", b"start\nepoch 1 loss 0.5\nepoch 2 loss 0.26\n"
    found = compare("log.txt", one, other, Tolerance(absolute=0.1))
    assert found.tolerable
    assert found.differences[0].what.startswith("1 of 3 lines differ; line 3: 'epoch 2 loss 0.25' against")
    words = compare("log.txt", one, other.replace(b"start", b"begin"), Tolerance(absolute=0.1))
    assert not words.tolerable
    assert not compare("log.txt", one, other + b"more\n", Tolerance(absolute=0.1)).tolerable


def test_a_tensor_in_an_order_of_its_own_is_compared_by_its_storage(compare):
    one, other = (torch_archive(w=array, strides={"w": (1, 3)}) for array in (A, B))
    numbers = compare("x.pt", one, other).differences[0].numbers
    assert (numbers.compared, numbers.differing, numbers.first) == (12, 1, "[6]")


def test_unknown_formats_are_compared_by_bytes_and_it_is_said(compare):
    found = compare("x.bin", b"\0\1\2", b"\0\1\3")
    assert found.note == "its format is not known: compared by bytes"
    assert differences(found)[""] == "the bytes differ (3 and 3 of them), the first at 2"


def test_other_formats_are_different(compare):
    assert "it is npy in the first and text" in differences(compare("model", npy(A), b"hello"))[""]


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("/tmp/reprobox-was-here",)


def test_nothing_in_a_pickle_is_executed(compare):
    from pathlib import Path

    found = compare("x.pkl", pickle.dumps([Bomb(), 1]), pickle.dumps([Bomb(), 2]))
    assert differences(found) == {"[1]": "1 against 2"}
    one, other = (npy(np.array([Bomb(), number], dtype=object)) for number in (1, 2))
    assert compare("x.npy", one, other).result is Result.DIFFERENT
    assert not Path("/tmp/reprobox-was-here").exists()


def test_objects_are_named_by_the_way_to_them(compare):
    from collections import OrderedDict
    from types import SimpleNamespace

    def model(value, scalar):
        return SimpleNamespace(steps=[("scale", OrderedDict(mean=np.float64(scalar)))], depth=value, names={"b", "a"})

    told = differences(compare("m.pkl", pickle.dumps(model(3, 0.5)), pickle.dumps(model(4, 0.75))))
    assert told["depth"] == "3 against 4"
    assert told["steps[0][1].mean"].startswith("1 of 1 differ, by at most 0.25")
    assert len(told) == 2


def test_long_lists_of_numbers_are_arrays(compare):
    found = compare("x.pkl", pickle.dumps([0.5] * 100), pickle.dumps([0.5] * 99 + [0.25]))
    assert found.differences[0].numbers.first == "[99]"


def test_what_stands_behind_a_pickle_counts(compare):
    one, other = (pickle.dumps({"a": 1}) + pickle.dumps(number) for number in (1, 2))
    assert differences(compare("old.pt", one, other)) == {
        "<behind the first pickle>": "the bytes differ (5 and 5 of them)"
    }


def test_a_tensor_picked_otherwise_from_the_same_storage_is_another(compare):
    square = np.arange(9, dtype="float32").reshape(3, 3)
    one, other = (torch_archive(w=square, strides={"w": stride}) for stride in ((1, 3), (1, 2)))
    assert differences(compare("x.pt", one, other))["w"] == "the elements are stored in another order"


def test_what_lies_beside_the_tensors_counts(compare):
    one, other = torch_archive(w=A), torch_archive(w=A)
    for number in range(2):
        out = io.BytesIO((one, other)[number])
        with zipfile.ZipFile(out, "a") as added:
            added.writestr("archive/code/model.py", f"return {number}")
        one, other = (out.getvalue(), other) if number == 0 else (one, out.getvalue())
    assert list(differences(compare("script.pt", one, other))) == ["<code/model.py>"]


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, lambda data: lzma.compress(data, lzma.FORMAT_ALONE)])
def test_other_compressions_are_unpacked(compare, pack):
    found = compare("x.joblib", pack(joblib_file(a=A)), pack(joblib_file(a=B)))
    assert found.format == "pickle"
    assert list(differences(found)) == ["a"]
    assert "ends in the middle" in compare("x.joblib", pack(joblib_file(a=A)), pack(joblib_file(a=B))[:-20]).note


def test_a_parameter_is_its_tensor(compare):
    from made_files import Made, Named, pickled

    def parameter(number):
        return pickled({"weight": Made(Named("torch._utils", "_rebuild_parameter"), number, True, {})})

    assert differences(compare("x.pkl", parameter(0.5), parameter(0.25))) == {"weight": "0.5 against 0.25"}
