"""Whatever bytes a stranger's program leaves, comparing ends soon, in little memory, with a reason."""

import os
import pickle
import random
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_files import archive, gz, joblib_file, legacy_torch, npy, npz, safetensors, torch_archive

from reprobox.compare import Result, Tolerance, compare_files

A = np.linspace(0, 1, 40, dtype="float32").reshape(5, 8)
VALID = {
    "x.npy": npy(A),
    "x.npz": npz(a=A, b=A[0]),
    "x.safetensors": safetensors({"format": "pt"}, a=A, n=np.arange(4)),
    "x.pt": torch_archive(a=A, b=A[0]),
    "old.pt": legacy_torch((10, 20), a=A, b=A[0]),
    "x.joblib": joblib_file(a=A, b=A[0]),
    "x.pkl": pickle.dumps({"a": A, "list": [1.5] * 20, "set": {"x", "y"}, "n": None, 3: [b"x" * 300]}),
    "x.csv": b"id,score,label\n1,0.5,cat\n2,0.25,dog\n",
    "x.json": b'{"a": [1, 2.5, {"b": null}], "c": "d"}',
    "x.jsonl": b'{"a": 1}\n{"a": 2}\n',
    "x.txt": b"epoch 1 loss 0.5\nepoch 2 loss 0.25\n",
    "x.zip": archive({"deep/w.npy": npy(A), "n.txt": b"1"}),
    "x.csv.gz": gz(b"a,b\n1,2\n", 0),
}


def compare_bytes(name, one, other, tolerance=None):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{index}{name}") for index in range(2)]
        for path, data in zip(paths, (one, other), strict=True):
            path.write_bytes(data)
        return compare_files(*paths, tolerance)


def spoil(data, seed):
    """Change, cut, repeat or insert some bytes."""
    chance = random.Random(seed)
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(spoiled) + 1)
        match chance.randrange(5):
            case 0:
                del spoiled[place:]
            case 1:
                spoiled[place : place + 1] = bytes([chance.randrange(256)])
            case 2:
                spoiled[place:place] = bytes(chance.choices((0, 1, 127, 128, 255), k=chance.randint(1, 9)))
            case 3:
                spoiled[place:place] = spoiled[place : place + chance.randint(1, 60)]
            case 4:
                del spoiled[place : place + chance.randint(1, 30)]
    return bytes(spoiled)


@settings(max_examples=400, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(VALID)), st.integers(0, 2**32))
def test_spoiled_files_end_in_a_result(name, seed):
    spoiled = spoil(VALID[name], seed)
    for pair in ((VALID[name], spoiled), (spoiled, VALID[name]), (spoiled, spoil(VALID[name], seed + 1))):
        found = compare_bytes(name, *pair, Tolerance(1e-6))
        assert found.result in Result
        assert bool(found.differences) is (found.result is Result.DIFFERENT)
        assert found.note or found.result is not Result.NOT_COMPARABLE


@settings(max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(VALID)), st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_end_in_a_result(name, one, other):
    assert compare_bytes(name, one, other).result in Result


@settings(max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*(bytes([code]) for code in range(256)), b"I5\n", b"U\1a"]), max_size=40))
def test_any_opcodes_end_in_a_result(opcodes):
    program = b"\x80\x04" + b"".join(opcodes) + b"."
    assert compare_bytes("x.pkl", program, VALID["x.pkl"]).result in Result
    assert compare_bytes("x.pkl", program, program + b"x").result in Result


def header(shape, descr="'<f4'"):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


TYPES = ["<f2", "<f4", ">f8", "<f16", "<c8", "<i1", "<i8", "<u8", "<M8[s]", "<U3", "|S5"]


@settings(max_examples=200, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(TYPES), st.data())
def test_any_bits_are_numbers(kind, data):
    size = 6 * np.dtype(kind).itemsize
    one, other = (data.draw(st.binary(min_size=size, max_size=size)) for _ in range(2))
    found = compare_bytes("x.npy", header("(2, 3)", repr(kind)) + one, header("(2, 3)", repr(kind)) + other)
    assert found.result is not Result.NOT_COMPARABLE, found


def zeros(size):
    """A zip archive whose one array of zeros is a thousand times its own size."""
    return archive({"a.npy": header(f"({size},)", "'|u1'") + bytes(size)})


def laughing_pickle():
    """Thirty lists, each twice the one before: a billion leaves when walked naively."""
    program = b"\x80\x02]q\x00"
    for index in range(30):
        program += b"]q" + bytes([index + 1]) + b"(h" + bytes([index]) + b"h" + bytes([index]) + b"e"
    return program


def torch_pickle(program):
    return archive({"archive/data.pkl": program, "archive/data/0": bytes(16)}, method=zipfile.ZIP_STORED)


HOSTILE = {
    "shape too large": ("x.npy", header("(10**9, 10**9)"), "its header cannot be read"),
    "shape that is not there": ("x.npy", header("(1000000000, 1000)"), "not as many bytes"),
    "negative shape": ("x.npy", header("(-1, -1)") + bytes(4), "cannot be"),
    "a shape of names": ("x.npy", header("('a',)"), "cannot be"),
    "a deep header": ("x.npy", header("(" * 5000 + ")" * 5000), "header cannot be read"),
    "a header that ends": ("x.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "header ends early"),
    "no array": ("x.npy", b"\x93NUMPY", "ends in its header"),
    "a header of 2**63 bytes": ("x.safetensors", b"\xff" * 7 + b"\x7f", "header ends early"),
    "a header that is no JSON": ("x.safetensors", struct.pack("<Q", 3) + b"abc", "no JSON"),
    "offsets beyond the end": (
        "x.safetensors",
        struct.pack("<Q", 55) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}}'.ljust(55),
        "beyond the end",
    ),
    "bytes that are not there": ("x.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".", "ends in the middle"),
    "a text that is not there": ("x.pkl", b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b".", "too long"),
    "a number without end": ("x.pkl", b"\x80\x04I" + b"1" * 70_000, "too long a line"),
    "deep lists": ("x.pkl", b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".", "nested too deep"),
    "an empty stack": ("x.pkl", b"\x80\x02a.", "no readable pickle"),
    "a list set into a number": ("x.pkl", b"\x80\x02K\x01K\x02a.", "make no sense"),
    "a table that is no table": ("x.csv", b'id,score,label\n1,"2\n' + b"x" * 200_000, "no readable table"),
    "deep JSON": ("x.json", b"[" * 100_000, "no readable JSON"),
    "JSON nested too deep": ("x.json", b"[" * 500 + b"]" * 500, "nested too deep"),
    "JSON that is no text": ("x.json", b"\xff\xfe", "cannot be read as json"),
    "a number of a million digits": ("x.json", b"1" * 1_000_000, "no readable JSON"),
    "a zip of nothing": ("x.npz", b"PK\x03\x04" + bytes(40), "no readable zip"),
    "a zip's end": ("x.npz", b"PK\x03\x04" + b"PK\x05\x06" + b"\xff" * 18, "too long"),
    "a storage that is not there": (
        "x.pt",
        torch_pickle(VALID["x.pt"][VALID["x.pt"].index(b"\x80\x02") :].split(b"PK")[0]),
        "beyond the end of its storage",
    ),
    "gzip that ends": ("x.csv.gz", VALID["x.csv.gz"][:-9], "ends in the middle"),
}


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_files_are_not_comparable_for_a_reason(title):
    name, data, reason = HOSTILE[title]
    for pair in ((data, VALID[name]), (VALID[name], data), (data, data + b" ")):
        found = compare_bytes(name, *pair)
        if found.result is Result.NOT_COMPARABLE:
            assert reason in found.note
    assert compare_bytes(name, VALID[name], data).result is Result.NOT_COMPARABLE


def test_memory_stays_small_whatever_a_file_unpacks_to():
    laughing = laughing_pickle()
    pairs = {
        "x.npz": (zeros(200_000_000), zeros(199_000_000)),
        "x.pkl": (laughing + b".", laughing + b"0h\x1d."),
        "x.joblib": (zlib.compress(b"a" * 150_000_000, 1), zlib.compress(b"b" * 150_000_000, 1)),
    }
    for name, pair in pairs.items():
        tracemalloc.start()
        found = compare_bytes(name, *pair)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found.result in (Result.DIFFERENT, Result.NOT_COMPARABLE, Result.SAME_CONTENT)
        assert peak < 130_000_000, (name, peak, found)


def test_neither_links_nor_pipes_nor_folders_are_opened(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    reasons = {"link": "it is a link", "pipe": "no regular file", "folder": "no regular file", "none": "cannot be"}
    for name, reason in reasons.items():
        found = compare_files(tmp_path / "file", tmp_path / name)
        assert (found.result, reason in found.note) == (Result.NOT_COMPARABLE, True), found


def test_a_file_without_an_end_of_line_is_not_read_whole():
    data = b"x" * 20_000_000
    assert "a line of more than" in compare_bytes("x.csv", data, data + b"y").note
