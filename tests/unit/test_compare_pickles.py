"""Pickles that hold other things differ, and those that hold the same are the same, however they were written."""

import pickle
import struct
from collections import OrderedDict, deque

import numpy as np
import pytest
from made_files import Made, Named, Storage, archive, gz, joblib_file, pickled

from reprobox.compare import Result, Tolerance

A, B = np.arange(20.0), np.arange(20.0) + 1
ONE, TWO = [1, 2], [3, 4]


def tree(levels, leaf):
    """Return a list in a list …, each of which holds the one below it twice."""
    value = leaf
    for _ in range(levels):
        value = [value, value]
    return value


def cycle(name):
    value = {"name": name}
    value["self"] = value
    return value


def to_the_first_or_second(place):
    """Return a list in a list, of which the inner one holds one of both."""
    outer, inner = [], []
    outer.append(inner)
    inner.append((outer, inner)[place])
    return outer


DIFFERENT = {
    "signs of zeros": ({"a": 0.0}, {"a": -0.0}),
    "which of two lists": ((ONE, TWO, ONE), (ONE, TWO, TWO)),
    "which is the best": ({"all": [A, B], "best": A}, {"all": [A, B], "best": B}),
    "which of two arrays": ([A, B, A], [A, B, B]),
    "how many": ([A, A], [A]),
    "which list a list is in": (to_the_first_or_second(0), to_the_first_or_second(1)),
    "leaves beyond what is gone through": (tree(30, [1]), tree(30, [2])),
    "an empty dict": ({"a": 1, "b": {}}, {"a": 1}),
    "an empty dict and an empty list": ({"a": {}}, {"a": []}),
    "an empty list and what is said of one": ({"a": []}, {"a": "an empty list"}),
    "a key with a point": ({"a.b": 1}, {"a": {"b": 1}}),
    "a key with brackets": ({"[0]": 1}, [1]),
    "an empty key": ({"": {"a": 1}}, {"a": 1}),
    "a list and a tuple": ([1, 2], (1, 2)),
    "long lists and tuples": ([*range(20)], tuple(range(20))),
    "a list and an array": ([*range(20)], np.arange(20)),
    "a set and a list": ({1, 2}, [1, 2]),
    "a set and a frozenset": ({1, 2}, frozenset({1, 2})),
    "a dict and a list": ({0: "a"}, ["a"]),
    "a name and its text": (len, "builtins len"),
    "attributes and entries": (Made(Named("m", "c"), 1), [Named("m", "c"), 1]),
    "entries and items": (OrderedDict({0: 1}), deque([1])),
    "keys of another type": ({1: "a", "b": 2}, {"1": "a", "b": 2}),
    "long keys": ({"a" + "x" * 200: 1}, {"b" + "x" * 200: 1}),
    "long keys beside a number": ({"x" * 99 + "a": 1, 0: 1}, {"x" * 99 + "b": 1, 0: 1}),
    "long ways": ({"a": {"x" * 210: 1}}, {"b": {"x" * 210: 1}}),
    "huge keys": ({1 << 300: 1}, {(1 << 300) + 1: 1}),
    "units of time": (np.array([1, 2], "M8[s]"), np.array([1, 2], "M8[ms]")),
    "multiples of units": (np.array([1, 2], "m8[s]"), np.array([1, 2], "m8[25s]")),
    "names of fields": (np.zeros(3, "i4,i4"), np.zeros(3, [("a", "i4"), ("b", "i4")])),
    "types of fields": (np.zeros(3, "i4,f4"), np.zeros(3, "f4,i4")),
}


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("title", DIFFERENT)
def test_what_differs_is_different(compare, title, protocol):
    one, other = (pickled(value, protocol) for value in DIFFERENT[title])
    found = compare("x.pkl", one, other)
    assert (found.result, found.tolerable) == (Result.DIFFERENT, title == "signs of zeros"), found


SAME = {
    "a shared list and a copy of it": ((ONE, ONE), (ONE, [*ONE])),
    "a shared array and a copy of it": ([A, A], [A, A.copy()]),
    "shared lists that share lists": (tree(10, [1]), [tree(9, [1]), tree(9, [1])]),
    "cycles and copies of them": ([cycle("a"), cycle("a")], [cycle("a")] * 2),
    "signs of zeros": ({"a": -0.0, "b": 1}, {"b": 1, "a": -0.0}),
    "no numbers": ({"a": float("nan"), "b": 1}, {"b": 1, "a": float("nan")}),
    "keys in another order": ({"a": 1, "b.c": [2]}, {"b.c": [2], "a": 1}),
    "sets of numbers": ({0, 32, 64, *range(100, 122)}, {64, 32, 0, *range(121, 99, -1)}),
    "what is shared over and over": (tree(30, "a"), tree(30, "a")),
}


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("title", SAME)
def test_what_is_the_same_is_the_same(compare, title, protocol):
    one, other = (gz(pickled(value, protocol), when) for when, value in enumerate(SAME[title]))
    found = compare("x.pkl.gz", one, other)
    assert (found.format, found.result) == ("pickle", Result.SAME_CONTENT), found


def test_sets_are_the_same_in_any_protocol(compare):
    assert compare("x.pkl", pickle.dumps({1, 2}, 2), pickle.dumps({2, 1}, 5)).result is Result.SAME_CONTENT


def test_a_checkpoint_says_which_tensor_is_the_best(compare):
    def checkpoint(best):
        tensors = [
            Made(Named("torch._utils", "_rebuild_tensor_v2"), storage, 0, (4,), (1,), False, {})
            for storage in (Storage("0", 4), Storage("1", 4))
        ]
        members = {f"archive/data/{index}": struct.pack("<4f", *([index] * 4)) for index in range(2)}
        return archive({"archive/data.pkl": pickled([*tensors, tensors[best]]), **members})

    found = compare("x.pt", checkpoint(0), checkpoint(1))
    assert [one.part for one in found.differences] == ["[2]"]


def test_names_are_shown_as_people_write_them(compare):
    one, other = ({"layer.0 (fast)": {"w": number}} for number in (1, 2))
    assert [item.part for item in compare("x.pkl", pickled(one), pickled(other)).differences] == ["layer.0 (fast).w"]


def test_names_that_look_the_same_are_told_apart(compare):
    first, *_ = compare("x.pkl", pickled({"a.b": 1}), pickled({"a": {"b": 1}})).differences
    assert first.what == "only the first has a\\.b"


def test_containers_of_another_kind_are_named(compare):
    (found,) = compare("x.pkl", pickled({"a": [1]}), pickled({"a": (1,)})).differences
    assert (found.part, found.what) == ("a.<kind>", "a list against a tuple")


def test_long_names_are_cut_and_stay_names(compare):
    one, other = ({"x" * 300: {"weight": number}} for number in (1, 2))
    (found,) = compare("x.pkl", pickled(one), pickled(other)).differences
    assert found.part.endswith("xxx.weight")
    assert len(found.part) <= 200


def test_an_array_with_many_names_is_read_once(compare, monkeypatch):
    from reprobox.compare.opened import Opened

    read = []
    pieces = Opened.pieces
    monkeypatch.setattr(Opened, "pieces", lambda file, *given: read.append(given) or pieces(file, *given))
    one, other = (pickle.dumps([data] * 200 + [1]) for data in (bytes(1 << 17), b"\1" + bytes((1 << 17) - 1)))
    assert compare("x.pkl", one, other).differing_parts == 200
    assert len([given for given in read if given]) == 2


def test_shared_bytes_beyond_all_measure_are_marked(compare, monkeypatch):
    monkeypatch.setattr("reprobox.compare.pickle_walk._MOST_REPEATED_BYTES", 1000)
    large = bytes(1 << 17)
    one, other = (pickle.dumps([large, large, number]) for number in (1, 2))
    assert [item.part for item in compare("x.pkl", one, other).differences] == ["[2]"]
    copy = pickle.dumps([large, bytes(bytearray(large)), 1])
    assert compare("x.pkl", one, copy).differences[0].what.startswith("it is the same as [0] in the first")


def test_a_key_that_is_there_twice_is_no_other_key(compare):
    twice = b"\x80\x02}(X\1\0\0\0aK\1X\1\0\0\0aK\2u."
    assert compare("x.pkl", twice, pickled({"a": 2})).result is Result.DIFFERENT
    assert compare("x.pkl", twice, pickled({"a": 1, "a (2)": 2})).result is Result.DIFFERENT


def test_many_arrays_of_the_same_bytes_are_refused(compare):
    data = bytes(1 << 17)

    def views(number):
        make = Named("numpy._core.numeric", "_frombuffer")
        made = [Made(make, data, np.dtype("i1"), (len(data),), "C") for _ in range(number)]
        return pickled([*made, number], 5)

    assert [one.part for one in compare("x.pkl", views(3), views(4)).differences] == ["", "[3]"]
    assert "look at the same bytes" in compare("x.pkl", views(99), views(98)).note


def test_a_state_behind_another_is_refused(compare):
    def states(number):
        return b"\x80\x02cm\nc\n)\x81}X\1\0\0\0aK" + bytes([number]) + b"sb}X\1\0\0\0bK\1sb."

    assert "two states" in compare("x.pkl", states(1), states(2)).note


def test_a_structure_is_described_in_bounded_time(compare):
    dtype = np.dtype("i4")
    for _ in range(12):
        dtype = np.dtype([("a", dtype), ("b", dtype)])
    one, other = (pickle.dumps([np.zeros(1, dtype), number]) for number in (1, 2))
    assert "a type that is too long" in compare("x.pkl", one, other).note


def test_structures_of_one_type_are_compared(compare):
    kind = np.dtype([("place", "f4", (2,)), ("count", "<i8")])
    one, other = (np.zeros(3, kind) for _ in range(2))
    other["count"][1] = 1
    for write, name in ((pickle.dumps, "x.pkl"), (lambda array: joblib_file(a=array), "x.joblib")):
        (found,) = compare(name, write(one), write(other)).differences
        assert found.what == "1 of 3 elements differ, the first at [1]"


def test_within_the_tolerance_a_shared_array_is_tolerable(compare):
    found = compare("x.pkl", pickle.dumps([A, A]), pickle.dumps([A, A + 1e-9]), Tolerance(absolute=1e-6))
    assert (found.differing_parts, found.tolerable) == (1, True)
