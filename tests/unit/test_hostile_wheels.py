"""Wheels that are damaged, lie, or mean harm: one error each, and nothing written."""

import stat
import struct
import tracemalloc
import zipfile

import pytest
from made_wheels import PYTHON, UpperCompiler, make_wheel, metadata, record_of, save_wheel, wheel_bytes, zip_of

from reprobox.errors import BuildError
from reprobox.layers.store import LayerStore
from reprobox.layers.wheel import make_wheel_layers
from reprobox.layers.wheel_files import check_tags
from reprobox.lock import PythonTarget, Wheel
from reprobox.uv import WheelFile
from reprobox.wheel_tags import choose_wheel

INFO = "thing-1.0.dist-info"


@pytest.fixture
def build(tmp_path):
    """Make the layer of one wheel; afterwards nothing may lie outside the cache."""

    def build(wheel, python=PYTHON):
        store = LayerStore(tmp_path / "cache")
        return make_wheel_layers([[wheel]], python, UpperCompiler(), store)

    yield build
    assert {path.name for path in tmp_path.iterdir()} <= {"cache", "wheels"}
    blobs = list((tmp_path / "cache").rglob("tmp/*"))
    assert blobs == []


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def refused(build, wheel, *words, python=PYTHON):
    with pytest.raises(BuildError) as caught:
        build(wheel, python)
    assert wheel[0].filename in caught.value.message
    for word in words:
        assert word in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    "name",
    [
        "../outside.py",
        "a/../../outside.py",
        "..",
        "/etc/passwd",
        "a//b.py",
        "./a.py",
        "a/./b.py",
        "C:/windows/x.py",
        "c:x.py",
        "a\\..\\..\\x.py",
        "a/b\nc.py",
        "a/\x7f.py",
    ],
)
def test_name_that_leads_out_is_refused(build, folder, name):
    refused(build, make_wheel(folder, {name: "x"}), repr(name), "name")


def test_name_with_a_nul_is_refused(build, folder):
    data = wheel_bytes({"thing/a_b.py": "x"}).replace(b"thing/a_b.py", b"thing/a\0b.py")
    refused(build, save_wheel(folder, data), "name")


@pytest.mark.parametrize("scheme", ["data", "scripts", "purelib", "headers"])
def test_name_that_leads_out_of_its_scheme_is_refused(build, folder, scheme):
    refused(build, make_wheel(folder, {f"thing-1.0.data/{scheme}/../../x": "x"}), scheme)


@pytest.mark.parametrize("name", ["thing-1.0.data/other/x", "thing-1.0.data/x"])
def test_data_folder_that_is_no_scheme_is_refused(build, folder, name):
    refused(build, make_wheel(folder, {name: "x"}), name, "no folder that wheels may have")


@pytest.mark.parametrize(
    "name",
    [
        "thing-1.0.data/data/pyvenv.cfg",
        "thing-1.0.data/scripts/python",
        "thing-1.0.data/scripts/python3.11",
        "thing-1.0.data/data/bin/python3",
        "thing-1.0.data/data/lib64",
        "thing-1.0.data/scripts/activate",
        "thing-1.0.data/data/bin",
        "thing-1.0.data/data/lib/python3.11",
        "thing-1.0.data/data/lib/python3.11/site-packages",
        "reprobox.pth",
        "thing-1.0.data/data/lib64/python3.11/site-packages/reprobox.pth",
    ],
)
def test_file_of_the_environment_is_not_replaced(build, folder, name):
    refused(build, make_wheel(folder, {name: "x"}), name, "belongs to the environment")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_member_that_is_no_file_is_refused(build, folder, kind):
    info = zipfile.ZipInfo("thing/odd")
    info.external_attr = (kind | 0o777) << 16
    refused(
        build, make_wheel(folder, {"thing/odd": "/etc"}, infos={"thing/odd": info}), "'thing/odd'", "neither a file"
    )


@pytest.mark.parametrize("name", ["a/.wh.b", ".wh..wh..opq", "a/.wh.b/c.py", "x" * 256, "é" * 128, "long/" * 900 + "x"])
def test_name_that_no_layer_can_hold_is_refused(build, folder, name):
    refused(build, make_wheel(folder, {name: "x"}), name[:40], "cannot have")


def test_folder_entries_are_fine(build, folder):
    info = zipfile.ZipInfo("thing/")
    info.external_attr = (stat.S_IFDIR | 0o777) << 16
    build(make_wheel(folder, {"thing/": "", "thing/a.py": ""}, infos={"thing/": info}))


def test_folder_with_data_is_refused(build, folder):
    refused(build, make_wheel(folder, {"thing/": "data"}), "'thing/'")


def test_file_and_folder_of_one_name_are_refused(build, folder):
    refused(build, make_wheel(folder, {"thing/a": "x", "thing/a/b": "y"}), "site-packages/thing/a", "folder")


def test_same_name_twice_is_refused(build, folder):
    data = wheel_bytes({"thing/a.py": "1", "thing/b.py": "2"}).replace(b"thing/b.py", b"thing/a.py")
    refused(build, save_wheel(folder, data), "'thing/a.py'", "twice")


def test_two_members_for_one_place_are_refused(build, folder):
    files = {"thing/a.py": "1", "thing-1.0.data/purelib/thing/a.py": "2"}
    refused(build, make_wheel(folder, files), "a second time")


def find_directory_entry(data, name):
    """Return where the table of contents has ``name``'s entry."""
    return data.rindex(b"PK\x01\x02", 0, data.rindex(name))


def patch(data, offset, form, value):
    changed = bytearray(data)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "form", "value", "problem"),
    [
        (16, "<I", 12345, "checksum"),
        (24, "<I", 5, "is longer"),
        (24, "<I", 2**32 - 2, "claims a size"),
        (20, "<I", 5, ""),
        (20, "<I", 2**31, ""),
        (8, "<H", 1, "encrypted"),
        (10, "<H", 14, "method 14"),
        (10, "<H", 99, "method 99"),
        (10, "<H", 0, ""),
        (42, "<I", 10, "is not where"),
        (28, "<H", 60_000, ""),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [10_000, 5_000_000])
def test_lie_in_the_table_of_contents_is_refused(build, folder, offset, form, value, problem, size):
    data = wheel_bytes({"thing/data.txt": b"0123456789" * (size // 10)})
    data = patch(data, find_directory_entry(data, b"thing/data.txt") + offset, form, value)
    refused(build, save_wheel(folder, data), problem)


def test_member_that_is_shorter_than_it_says_is_refused(build, folder):
    data = wheel_bytes({"thing/data.txt": b"0123456789" * 1000})
    data = patch(data, find_directory_entry(data, b"thing/data.txt") + 24, "<I", 10_001)
    refused(build, save_wheel(folder, data), "'thing/data.txt' has 10000 bytes instead of 10001")


def test_two_members_that_share_their_bytes_are_refused(build, folder):
    data = wheel_bytes({"thing/a.txt": "same", "thing/b.txt": "same"})
    where = struct.unpack_from("<I", data, find_directory_entry(data, b"thing/a.txt") + 42)[0]
    data = patch(data, find_directory_entry(data, b"thing/b.txt") + 42, "<I", where)
    refused(build, save_wheel(folder, data), "thing/")


def test_bomb_is_refused_before_it_is_unpacked(build, folder):
    data = wheel_bytes({f"thing/{number}": "x" for number in range(20)})
    for number in range(20):
        data = patch(data, find_directory_entry(data, b"thing/%d" % number) + 24, "<I", 2**32 - 2)
    refused(build, save_wheel(folder, data), "unpack to more than")


@pytest.mark.parametrize("declared", [100, 4_000_000, 8_000_000])
def test_member_that_unpacks_to_more_than_it_says_costs_no_memory(build, folder, declared):
    data = wheel_bytes({"thing/bomb": bytes(300_000_000)})
    data = patch(data, find_directory_entry(data, b"thing/bomb") + 24, "<I", declared)
    wheel = save_wheel(folder, data)
    tracemalloc.start()
    try:
        refused(build, wheel, "'thing/bomb'", "longer")
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("gone", ["METADATA", "WHEEL", "RECORD"])
def test_missing_metadata_is_named(build, folder, gone):
    files = {**metadata(), f"{INFO}/RECORD": record_of(metadata())}
    del files[f"{INFO}/{gone}"]
    refused(build, save_wheel(folder, zip_of(files)), f"has no {INFO}/{gone}")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("WHEEL", "Wheel-Version: 2.0\n", "wheel format 2.0"),
        ("WHEEL", "", "wheel format None"),
        ("METADATA", "Name: other\nVersion: 1.0\n", "says it is 'other'"),
        ("METADATA", b"\xff\xfe", "says it is"),
        ("RECORD", b"\xff", "cannot be read"),
        ("entry_points.txt", "no section", "entry_points.txt"),
        ("entry_points.txt", "[console_scripts]\na = b\n", "entry_points.txt"),
        ("entry_points.txt", "[console_scripts]\na = b:c\na = b:d\n", "entry_points.txt"),
        ("entry_points.txt", "[console_scripts]\n../../a = b:c\n", "entry_points.txt"),
        ("entry_points.txt", "[console_scripts]\n.. = b:c\n", "entry_points.txt"),
        ("entry_points.txt", "[console_scripts]\npython = b:c\n", "belongs to the environment"),
        ("entry_points.txt", "[console_scripts]\n.wh.x = b:c\n", "cannot have"),
        ("entry_points.txt", b"\xff", "entry_points.txt"),
    ],
)
def test_metadata_that_cannot_be_right_is_refused(build, folder, name, text, problem):
    files = {**metadata(), f"{INFO}/RECORD": record_of(metadata()), f"{INFO}/{name}": text}
    refused(build, save_wheel(folder, zip_of(files)), problem)


@pytest.mark.parametrize(
    "files",
    [
        {},
        metadata("other"),
        metadata("thing", "2.0"),
        {**metadata(), **metadata("other")},
        {**metadata(), "Thing-1.0.DIST-INFO/METADATA": ""},
        {"thing.dist-info/METADATA": ""},
    ],
)
def test_dist_info_folder_must_be_the_wheel_s(build, folder, files):
    refused(build, save_wheel(folder, zip_of({"thing/a.py": "", **files})), "dist-info")


@pytest.mark.parametrize(
    "tag",
    [
        "py3-none-win_amd64",
        "py3-none-macosx_11_0_arm64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp310-cp310-manylinux_2_17_x86_64",
        "cp313-cp313t-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_39_x86_64",
        "py2-none-any",
    ],
)
def test_wheel_for_another_machine_is_refused(build, folder, tag):
    refused(build, make_wheel(folder, {}, tag=tag), "is not for Python 3.11.2 on Linux with glibc 2.36")


@pytest.mark.parametrize(
    "tag",
    ["py2.py3-none-any", "cp39-abi3-manylinux1_x86_64", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"],
)
def test_wheel_for_this_machine_is_taken(build, folder, tag):
    build(make_wheel(folder, {}, tag=tag))


@pytest.mark.parametrize(("version", "abi"), [("3.6.15", "cp36m"), ("3.7.16", "cp37m"), ("3.8.20", "cp38")])
def test_old_pythons_take_wheels_of_their_own_abi(folder, version, abi):
    python = PythonTarget(version, "/usr/local/bin/python3", "2.36")
    number = abi.rstrip("m")
    wheel, _ = make_wheel(folder, {}, tag=f"{number}-{abi}-manylinux2010_x86_64")
    assert choose_wheel([WheelFile(wheel.filename, "", None, None)], python, "amd64") is not None
    check_tags(wheel, python)
    debugging, _ = make_wheel(folder, {}, tag=f"{number}-{abi}d-manylinux2010_x86_64")
    with pytest.raises(BuildError, match="is not for Python"):
        check_tags(debugging, python)


def test_old_glibc_is_minded(build, folder):
    wheel = make_wheel(folder, {}, tag="cp39-cp39-manylinux_2_28_x86_64")
    refused(build, wheel, python=PythonTarget("3.9.2", "/usr/bin/python3.9", "2.27"))


@pytest.mark.parametrize(
    "filename", ["thing.whl", "thing-1.0.zip", "other-1.0-py3-none-any.whl", "thing-2-py3-none-any.whl"]
)
def test_file_name_must_say_what_the_lock_says(build, folder, filename):
    wheel, path = make_wheel(folder, {})
    wheel = Wheel(wheel.name, wheel.version, filename, wheel.sha256, wheel.size)
    refused(build, (wheel, path))


def test_wheel_that_is_not_the_locked_one_any_more_is_refused(build, folder):
    wheel, path = make_wheel(folder, {"thing/a.txt": "stored"})
    path.write_bytes(path.read_bytes() + b"\0")
    refused(build, (wheel, path), "sha256 differs")


def test_missing_wheel_is_refused(build, folder):
    wheel, path = make_wheel(folder, {})
    path.unlink()
    refused(build, (wheel, path), "cannot be read")


@pytest.mark.parametrize("length", [0, 1, 22, 100, -1, -10, -30])
def test_truncated_wheel_is_refused(build, folder, length):
    refused(build, save_wheel(folder, wheel_bytes({"thing/a.py": "x"})[:length]))
