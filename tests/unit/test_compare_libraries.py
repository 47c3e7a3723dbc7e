"""Formats that a library reads: HDF5, Parquet and images, by content where it is installed, by bytes where not."""

import io
import zlib

import h5py
import numpy as np
import pyarrow
import pytest
from made_files import archive
from PIL import Image
from pyarrow import parquet

from reprobox.compare import Result, Tolerance, files

A = np.arange(12, dtype="float32").reshape(3, 4)
B = A.copy()
B[1, 2] = np.nextafter(B[1, 2], np.float32(100))


def hdf5(fill):
    """Return a file that ``fill`` has put something into."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


def weights(array, **attributes):
    """Return what Keras leaves, more or less: groups in groups, a dataset in each, names beside them."""

    def fill(file):
        file.create_dataset("layers/dense/vars/0", data=array, compression="gzip")
        file.create_dataset("layers/dense/vars/1", data=np.arange(4))
        file["layers"].attrs["names"] = np.array([b"dense", b"other"])
        file.attrs.update({"config": '{"layers": []}', **attributes})

    return hdf5(fill)


def test_the_dataset_that_differs_is_named_and_measured(compare):
    found = compare("model.weights.h5", weights(A), weights(B))
    assert (found.format, found.result, found.parts) == ("hdf5", Result.DIFFERENT, 4)
    (only,) = found.differences
    assert only.part == "layers/dense/vars/0"
    assert (only.numbers.compared, only.numbers.differing, only.numbers.max_ulp) == (12, 1, 1)
    assert only.numbers.first == "[1, 2]"
    assert compare("model.weights.h5", weights(A), weights(B), Tolerance(1e-6)).tolerable


def test_how_a_dataset_is_packed_is_no_content(compare):
    loose = hdf5(lambda file: file.create_dataset("w", data=A))
    packed = hdf5(lambda file: file.create_dataset("w", data=A, chunks=(1, 2), compression="gzip", shuffle=True))
    assert compare("x.h5", loose, packed).result is Result.SAME_CONTENT


@pytest.mark.parametrize(
    ("one", "other", "part"),
    [
        ({"config": "a"}, {"config": "b"}, "@config"),
        ({"rate": 0.5}, {"rate": 0.25}, "@rate"),
        ({"names": ["a", "b"]}, {"names": ["a", "c"]}, "@names"),
        ({"none": h5py.Empty("f")}, {"none": 1.0}, "@none"),
    ],
)
def test_attributes_count(compare, one, other, part):
    found = compare("x.h5", weights(A, **one), weights(A, **other))
    assert [item.part for item in found.differences] == [part]


def test_a_keras_archive_names_the_dataset_too(compare):
    one, other = (archive({"model.weights.h5": weights(array), "config.json": b"{}"}) for array in (A, B))
    found = compare("model.keras", one, other, Tolerance(1e-6))
    assert (found.format, found.tolerable) == ("keras", True)
    assert [item.part for item in found.differences] == ["model.weights.h5: layers/dense/vars/0"]


def test_a_large_dataset_is_read_in_blocks(compare, monkeypatch):
    monkeypatch.setattr("reprobox.compare.hdf5._BLOCK", 64)
    large = np.arange(5 * 7 * 11, dtype="<i4").reshape(5, 7, 11)
    changed = large.copy()
    changed[3, 5, 9] = 0
    one, other = (
        hdf5(lambda file, array=array: file.create_dataset("w", data=array, chunks=(1, 2, 3)))
        for array in (large, changed)
    )
    (only,) = compare("x.h5", one, other).differences
    assert (only.numbers.compared, only.numbers.differing, only.numbers.first) == (large.size, 1, "[3, 5, 9]")


def with_names(**names):
    def fill(file):
        file.create_dataset("w", data=[0, 1], dtype=h5py.enum_dtype(names, "i1"))

    return hdf5(fill)


def attribute_of(group, name):
    def fill(file):
        file.create_group("a")
        file.create_group("a@b")
        file[group].attrs[name] = 1

    return hdf5(fill)


DIFFERENT_HDF5 = {
    "an empty group": (hdf5(lambda file: file.create_group("a")), hdf5(lambda file: None)),
    "what numbers stand for": (with_names(cat=0, dog=1), with_names(dog=0, cat=1)),
    "types of what is empty": tuple(
        hdf5(lambda file, kind=kind: file.create_dataset("w", data=h5py.Empty(kind))) for kind in ("f4", "i4")
    ),
    "types": tuple(hdf5(lambda file, kind=kind: file.update({"t": np.dtype(kind)})) for kind in ("f4", "i4")),
    "names with an @": (attribute_of("a@b", "c"), attribute_of("a", "b@c")),
    "a text and a list of them": (
        hdf5(lambda file: file.attrs.update({"a": "(1,) |S1 [b'x']"})),
        hdf5(lambda file: file.attrs.update({"a": np.array([b"x"])})),
    ),
}


@pytest.mark.parametrize("title", DIFFERENT_HDF5)
def test_what_differs_in_hdf5_is_different(compare, title):
    assert compare("x.h5", *DIFFERENT_HDF5[title]).result is Result.DIFFERENT


def test_texts_of_one_length_are_compared_one_by_one(compare):
    texts = np.array([b"abc"] * 30_000)
    changed = texts.copy()
    changed[4321] = b"abd"
    one, other = (hdf5(lambda file, data=data: file.create_dataset("w", data=data)) for data in (texts, changed))
    (only,) = compare("x.h5", one, other).differences
    assert only.what == "1 of 30000 elements differ, the first at [4321]"


@pytest.mark.parametrize("shape", [(), (2,)])
def test_long_texts_of_one_length_are_compared(compare, shape):
    one, other = (
        hdf5(lambda file, text=text: file.create_dataset("w", data=np.full(shape, text * 100_000, "S100000")))
        for text in (b"a", b"b")
    )
    assert compare("x.h5", one, other).result is Result.DIFFERENT


def external_link(file):
    file["out"] = h5py.ExternalLink("/etc/passwd.h5", "/x")
    file["about"] = h5py.SoftLink("/nowhere")


def test_links_are_compared_and_not_followed(compare):
    found = compare("x.h5", hdf5(external_link), hdf5(lambda file: file.update({"out": h5py.SoftLink("/x")})))
    assert any(item.part == "out" and "external link to /etc/passwd.h5: /x" in item.what for item in found.differences)


def external_storage(file):
    file.create_dataset("w", (100,), dtype="i1", external=[("/etc/passwd", 0, 100)])


def virtual(file):
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "w", (3, 4))
    file.create_virtual_dataset("w", layout)


def vast(file):
    file.create_dataset("w", (1 << 40, 1 << 10), dtype="f8", chunks=(1, 1024))


def vast_chunk(file):
    file.create_dataset("w", (1 << 28,), dtype="f4", chunks=(1 << 25,))


def shared_texts(file):
    file.create_dataset("w", (1 << 22,), dtype=h5py.string_dtype())
    file["w"][0] = "x" * 1000


def deep_name(file):
    group = file
    for _ in range(300):
        group = group.create_group("x" * 20)


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (external_storage, "other files"),
        (virtual, "other files"),
        (vast, "more than 16 GiB"),
        (vast_chunk, "chunks of more than"),
        (shared_texts, "too many texts"),
        (deep_name, "name of more than"),
    ],
)
def test_what_leads_out_or_has_no_end_is_refused(compare, fill, reason):
    found = compare("x.h5", hdf5(fill), hdf5(fill) + b"\0")
    assert found.result is Result.NOT_COMPARABLE
    assert reason in found.note


def test_groups_that_hold_each_other_come_to_an_end(compare):
    def tie(file):
        file.create_group("a/b")
        file["a/b/up"] = file["a"]
        file["again"] = file["a"]

    assert compare("x.h5", hdf5(tie), hdf5(tie) + b"\0").result is Result.SAME_CONTENT


@pytest.mark.parametrize("step", [97, 389])
def test_a_damaged_file_is_an_answer(compare, step):
    whole = weights(A)
    for place in range(8, len(whole), step):
        damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        assert compare("x.h5", damaged, weights(B)).result in (Result.NOT_COMPARABLE, Result.DIFFERENT)
        assert compare("x.h5", whole[:place], weights(B)).result in (Result.NOT_COMPARABLE, Result.DIFFERENT)


def table(**columns):
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def test_parquet_is_compared_column_by_column(compare):
    one = table(error=A[0], name=["a", "b", None, "d"])
    found = compare("x.parquet", one, table(error=B[1], name=["a", "b", None, "e"]))
    assert (found.format, [item.part for item in found.differences]) == ("parquet", ["error", "name"])
    found = compare("x.parquet", table(error=A[1]), table(error=B[1]), Tolerance(1e-6))
    assert (found.result, found.tolerable, found.differences[0].numbers.max_ulp) == (Result.DIFFERENT, True, 1)


@pytest.mark.parametrize("kinds", [("int32", "int64"), ("float32", "float64")])
@pytest.mark.parametrize("values", [[1, None], [1, 2]])
def test_types_of_columns_count(compare, kinds, values):
    one, other = (table(x=pyarrow.array(values, getattr(pyarrow, kind)())) for kind in kinds)
    assert compare("x.parquet", one, other).result is Result.DIFFERENT


def test_types_of_other_columns_count(compare):
    days = pyarrow.array([1, None], pyarrow.date32())
    one, other = (table(x=days.cast(kind)) for kind in (pyarrow.timestamp("ms"), pyarrow.timestamp("us")))
    found = compare("x.parquet", one, other).differences
    assert "the type timestamp[ms] against the type timestamp[us]" in [item.what for item in found]


@pytest.mark.parametrize(
    "kind",
    [
        *(pyarrow.timestamp(unit) for unit in ("ms", "us", "ns")),
        pyarrow.timestamp("ns", tz="Asia/Tokyo"),
        *(pyarrow.duration("ns"), pyarrow.time64("ns"), pyarrow.time32("ms"), pyarrow.date32()),
    ],
    ids=str,
)
def test_times_are_whole_numbers_of_their_unit(compare, kind):
    one, other = (table(x=pyarrow.array(values, kind)) for values in ([7, None, 86], [7, None, 87]))
    (found,) = compare("x.parquet", one, other, Tolerance(absolute=10)).differences
    assert (found.part, found.tolerable) == ("x", False)
    assert (found.numbers.differing, found.numbers.max_absolute, found.numbers.first) == (1, 1, "[2]")


def test_numbers_are_measured_where_some_are_missing(compare):
    found = compare("x.parquet", table(x=[1.0, None]), table(x=[1.5, None]), Tolerance(absolute=1))
    assert (found.tolerable, found.differences[0].numbers.max_absolute) == (True, 0.5)
    (missing,) = compare("x.parquet", table(x=[1, None, 0]), table(x=[1, 0, None])).differences
    assert missing.part == "x.<missing>"


@pytest.mark.parametrize("last", [None, "a", "None", [1], {"a": 1.5}, b"a"])
def test_values_of_any_type_are_compared(compare, last):
    first = last if last is not None else "b"
    kept, other = [first] * 3000, [*[first] * 2999, None if last is not None else "c"]
    found = compare("x.parquet", table(x=kept), table(x=other))
    assert [item.what for item in found.differences] == ["1 of 3000 elements differ, the first at [2999]"]


def test_what_is_there_once_and_what_is_there_often_is_the_same(compare):
    texts = pyarrow.array(["a", "b", None, "a"])
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table({"x": texts}), stream, use_dictionary=False)
    assert compare("x.parquet", table(x=texts), stream.getvalue()).result is Result.SAME_CONTENT


def test_two_columns_of_one_name_are_refused(compare):
    def twice(number):
        stream = io.BytesIO()
        columns = [pyarrow.array([1]), pyarrow.array([number])]
        parquet.write_table(pyarrow.Table.from_arrays(columns, names=["x", "x"]), stream)
        return stream.getvalue()

    assert "two columns of one name" in compare("x.parquet", twice(1), twice(2)).note


def test_a_table_of_too_many_cells_is_refused(compare, monkeypatch):
    monkeypatch.setattr("reprobox.compare.parquet_files._MOST_CELLS", 3)
    assert "4 cells" in compare("x.parquet", table(x=A[0]), table(x=B[1])).note


def test_how_a_table_was_packed_is_no_content(compare):
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table({"x": A[0]}), stream, compression="gzip", row_group_size=2)
    assert compare("x.parquet", table(x=A[0]), stream.getvalue()).result is Result.SAME_CONTENT


def test_a_vast_table_is_refused(compare, monkeypatch):
    monkeypatch.setattr("reprobox.compare.parquet_files._MOST_BYTES", 10)
    assert "unpacks to" in compare("x.parquet", table(x=A[0]), table(x=B[1])).note


def picture(array, kind="png", **settings):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **settings)
    return stream.getvalue()


PIXELS = np.arange(48, dtype="uint8").reshape(4, 4, 3)


def test_images_are_compared_by_their_pixels(compare):
    assert compare("x.png", picture(PIXELS), picture(PIXELS, compress_level=0)).result is Result.SAME_CONTENT
    changed = PIXELS.copy()
    changed[1, 2, 0] += 1
    (only,) = compare("x.png", picture(PIXELS), picture(changed)).differences
    assert (only.part, only.numbers.differing, only.numbers.first) == ("pixels", 1, "[1, 2, 0]")
    found = compare("x.png", picture(PIXELS), picture(PIXELS[:, :, 0]))
    assert "mode" in {item.part for item in found.differences}


@pytest.mark.parametrize(
    ("name", "plain", "other"),
    [
        ("x.webp", {"kind": "webp", "lossless": True}, {"kind": "webp", "lossless": True, "quality": 0, "method": 0}),
        ("x.tif", {"kind": "tiff"}, {"kind": "tiff", "compression": "tiff_lzw", "description": "today"}),
        ("x.tiff", {"kind": "tiff"}, {"kind": "tiff", "big_tiff": True}),
    ],
)
def test_so_are_images_that_several_packings_tell_apart(compare, name, plain, other):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype("uint8")
    assert picture(pixels, **plain) != picture(pixels, **other)
    assert compare(name, picture(pixels, **plain), picture(pixels, **other)).result is Result.SAME_CONTENT
    (only,) = compare(name, picture(pixels, **plain), picture(255 - pixels, **other)).differences
    assert (only.part, only.numbers.differing) == ("pixels", pixels.size)


@pytest.mark.parametrize("kind", ["gif", "tiff", "webp"])
def test_several_pictures_in_one_file_are_refused(compare, kind):
    pages = [Image.fromarray(PIXELS + step) for step in (0, 9)]
    one = picture(PIXELS, kind, save_all=True, append_images=pages)
    assert compare(f"x.{kind}", one, picture(PIXELS, kind)).note == "it has several pictures in one file"


def test_a_sound_begins_as_a_webp_does_and_is_compared_by_bytes(compare):
    head = b"RIFF\x24\0\0\0WAVEfmt "
    assert "its format is not known" in compare("x.wav", head + b"\0" * 30, head + b"\1" * 30).note


def test_what_is_transparent_counts(compare):
    found = compare("x.png", picture(PIXELS, transparency=(0, 1, 2)), picture(PIXELS, transparency=(3, 4, 5)))
    assert [item.part for item in found.differences] == ["transparency"]


def test_a_picture_that_says_it_is_vast_is_refused(compare):
    whole = picture(PIXELS)
    head = whole[12:16] + (1 << 20).to_bytes(4, "big") * 2 + whole[24:29]
    vast_picture = whole[:12] + head + zlib.crc32(head).to_bytes(4, "big") + whole[33:]
    assert compare("x.png", vast_picture, whole).result is Result.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("name", "one", "other", "package"),
    [
        ("x.h5", weights(A), weights(B), "h5py"),
        ("x.parquet", table(x=A[0]), table(x=B[1]), "pyarrow"),
        ("x.png", picture(PIXELS), picture(PIXELS[::-1].copy()), "pillow"),
    ],
)
def test_without_the_library_the_bytes_are_compared_and_it_is_said(compare, monkeypatch, name, one, other, package):
    monkeypatch.setattr(files, "find_library", lambda name: None)
    found = compare(name, one, other)
    assert (found.result, found.note) == (
        Result.DIFFERENT,
        f"compared by bytes: to look inside, install {package}",
    )
