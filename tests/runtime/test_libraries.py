"""The compiled libraries that a process computed with are put down by the build that each is."""

import re
import shutil
import subprocess

import pytest

IDENTITY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def compile_library(tmp_path):
    """A function: compile a library to this path, with this build ID."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("libraries are compiled here, and there is no compiler")

    def make(path, identity, code="int one;"):
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        source = tmp_path / "source.c"
        source.write_text(f"{code}\n")
        argv = [compiler, "-shared", "-fPIC", f"-Wl,--build-id={identity}", "-o", path, source]
        subprocess.run(argv, check=True, timeout=60)
        return path

    return make


def load(box, *paths):
    loads = "\n".join(f"ctypes.CDLL({str(path)!r})" for path in paths)
    box.script(f"import ctypes\n{loads}\n")
    record = box.record()
    assert record["warnings"] == []
    return record["libraries"]


def test_a_library_is_named_by_its_build_and_its_compiler(box, compile_library):
    known = compile_library("libgomp.so.1", f"0x{IDENTITY}")
    other = compile_library("libother.so", f"0x{IDENTITY}")
    packed = compile_library("site-packages/demo.libs/libgomp-a34b3233.so.1.0.0", "none")
    found = load(box, known, other, packed)
    assert re.fullmatch(rf"libgomp\.so\.1, build {IDENTITY[:16]}, GCC: \(.*", found["libgomp"])
    size = packed.stat().st_size
    assert found["libgomp of demo.libs"].startswith(f"libgomp-a34b3233.so.1.0.0, {size} bytes, GCC: ")
    assert not [name for name in found if "other" in name]
    assert {"libc", "libm"} & found.keys()


def test_two_libraries_of_one_name_are_both_named(newest_box, compile_library):
    one = compile_library("a/libgomp.so.1", f"0x{IDENTITY}")
    other = compile_library("b/libgomp.so.1", "0x" + IDENTITY[::-1])
    found = load(newest_box, one, other)["libgomp"]
    assert [said.partition(", GCC")[0] for said in found.split("; ")] == [
        f"libgomp.so.1, build {IDENTITY[:16]}",
        f"libgomp.so.1, build {IDENTITY[::-1][:16]}",
    ]


def test_builds_are_those_that_readelf_names(newest_box):
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("there is no readelf to compare with")
    newest_box.script("import ctypes\nctypes.CDLL('libstdc++.so.6')\nprint(open('/proc/self/maps').read())")
    record = newest_box.record()
    checked = 0
    for found in record["libraries"].values():
        name, _, rest = found.partition(", build ")
        paths = subprocess.run(["find", "/lib", "/usr/lib", "-name", name], capture_output=True, text=True, check=False)
        for path in paths.stdout.splitlines()[:1]:
            said = subprocess.run([readelf, "-n", path], capture_output=True, text=True, check=True).stdout
            assert re.search(r"Build ID: ([0-9a-f]{16})", said).group(1) == rest[:16]
            checked += 1
    assert checked >= 2
    assert "libstdc++" in record["libraries"]


@pytest.mark.parametrize(
    "content",
    [
        b"no library",
        b"\x7fELF",
        b"\x7fELF\x02\x01" + b"\xff" * 58,
        b"\x7fELF\x02\x01" + bytes(58),
        b"\x7fELF\x02\x01"
        + bytes(26)
        + b"\x10"
        + bytes(7)
        + b"\x10"
        + bytes(7)
        + b"\x00" * 6
        + b"\x40\x00\xff\xff" * 3,
        b"\x7fELF\x01\x01" + bytes(400),
    ],
)
def test_what_is_no_library_is_named_by_its_size(newest_box, tmp_path, content):
    path = tmp_path / "libgomp.so.1"
    path.write_bytes(content)
    newest_box.script(f"""
import mmap
with open({str(path)!r}, "rb") as stream:
    mapped = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
""")
    record = newest_box.record()
    assert record["warnings"] == []
    assert record["libraries"]["libgomp"] in ("libgomp.so.1", f"libgomp.so.1, {len(content)} bytes")


def test_numpy_and_its_linear_algebra_are_among_them(numpy_box):
    numpy_box.script("import numpy\n")
    found = numpy_box.record()["libraries"]
    assert "_multiarray_umath of numpy" in found
    assert [name for name in found if "openblas" in name or "mkl" in name]
