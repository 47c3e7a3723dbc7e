"""One column of a table is shuffled, and nothing else about the file changes."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprobox.contributions.sheet import find_danger, open_sheet, read_cells, shuffle_rows, write_shuffled
from reprobox.errors import UsageError


@pytest.fixture
def make(tmp_path):
    """A function: bytes -> the sheet."""

    def write_and_open(data, name="t.csv"):
        (tmp_path / name).write_bytes(data)
        return open_sheet(tmp_path / name)

    return write_and_open


def shuffle(sheet, orders):
    stream = io.BytesIO()
    write_shuffled(sheet, orders, stream)
    return stream.getvalue()


def test_the_cells_of_one_column_change_rows_and_all_other_bytes_stay(make):
    sheet = make(b'\xef\xbb\xbfa,"b ""x""",c\r\n1.50,"x,\n""y""", 7\r\n2,z,8\n\n03,"w",9')
    assert (sheet.columns, sheet.rows) == (("a", 'b "x"', "c"), 3)
    assert shuffle(sheet, {1: [2, 0, 1]}) == (b'\xef\xbb\xbfa,"b ""x""",c\r\n1.50,"w", 7\r\n2,"x,\n""y""",8\n\n03,z,9')


def test_the_order_as_it_is_gives_the_same_bytes(make):
    data = b"a\tb\n1\t2\n3\t4\n"
    assert shuffle(make(data, "t.tsv"), {0: [0, 1], 1: [0, 1]}) == data


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
def test_the_delimiter_is_found(make, delimiter):
    sheet = make(b"\n".join(delimiter.join(row) for row in ((b"a", b"b"), (b"1", b"2"), (b"3", b"4"))))
    assert sheet.columns == ("a", "b")


@pytest.mark.parametrize("first", [b'"a;b;c",d', b'5" pipe,6" pipe'])
def test_what_stands_in_quotes_is_no_delimiter(make, first):
    assert len(make(first + b"\n1,2\n3,4\n").columns) == 2


@pytest.mark.parametrize("cell", [b'"' + b"x" * 200_000 + b'"', b'"x"\ry'])
def test_cells_that_python_reads_as_no_csv_can_be_shuffled(make, cell):
    sheet = make(b"a,b\n" + cell + b',1\n"y",2\n')
    assert find_danger("a", read_cells(sheet, (0,))[0]) == ""
    assert shuffle(sheet, {0: [1, 0]}) == b'a,b\n"y",1\n' + cell + b",2\n"


def test_a_column_without_a_name_gets_its_number(make):
    assert make(b",x\n0,1\n1,2\n").columns == ("column 1", "x")


def test_a_shuffle_follows_from_seed_column_and_repeat_alone():
    assert shuffle_rows(8, 32, "age", 0) == [0, 2, 3, 6, 5, 7, 1, 4]
    others = [shuffle_rows(8, 33, "age", 0), shuffle_rows(8, 32, "size", 0), shuffle_rows(8, 32, "age", 1)]
    assert shuffle_rows(8, 32, "age", 0) not in others
    assert all(sorted(order) == list(range(8)) for order in others)


CELLS = st.text(alphabet='ab1 ,"\n\r;é', max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=2, max_size=6), st.integers(0, 2), st.randoms())
def test_what_a_csv_reader_reads_is_the_table_with_one_column_shuffled(tmp_path_factory, rows, column, random):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"], *rows])
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes(text.getvalue().encode())
    order = random.sample(range(len(rows)), len(rows))
    shuffled = shuffle(open_sheet(path), {column: order}).decode()
    expected = [[*row[:column], rows[at][column], *row[column + 1 :]] for row, at in zip(rows, order, strict=True)]
    assert list(csv.reader(io.StringIO(shuffled, newline="")))[1:] == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2\n3\n", "t.csv:3: 1 cells, and the first line has 2"),
        (b'a,b\n1,2\n"3,4\n', "t.csv:3: no end of this row"),
        (b"a,b\n1,2\n" + b"x" * 2**20 + b",4\n", "t.csv:3: no end of this row"),
        (b"a,a\n1,2\n3,4\n", "column 'a' is there twice"),
        (b"a,b\n1,2\n", "has 1 rows"),
        (b"", "has 0 rows"),
        ("a,b\n1,2\n".encode("utf-16"), "is no CSV or TSV"),
        (b"\x1f\x8b\x08\x00", "is no CSV or TSV"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(make, data, said):
    with pytest.raises(UsageError) as caught:
        make(data)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        open_sheet(tmp_path / "none.csv")


ROWS = range(20)
MIXED = [7 * at % 20 for at in ROWS]


@pytest.mark.parametrize(
    ("name", "cells", "danger"),
    [
        ("id", [b"1"] * 20, "key by its name"),
        ("passengerId", [b"1"] * 20, "key by its name"),
        ("row_number", [b"1"] * 20, "key by its name"),
        ("Unnamed: 0", [b"1"] * 20, "key by its name"),
        ("humid", [b"1"] * 20, ""),
        ("day", [b"2026-01-%02d" % (at + 1) for at in ROWS], "in order"),
        ("t", [b"%d.5" % -at for at in ROWS], "in order"),
        ("code", [b"k%02d" % at for at in MIXED], "another value in every row"),
        ("number", [b"%d" % at for at in MIXED], "another value in every row"),
        ("size", [b"%d.5" % at for at in MIXED], ""),
        ("size", [b"%d" % (at // 2) for at in MIXED], ""),
        ("size", [b"1", b"2"], ""),
    ],
)
def test_columns_that_are_no_variables_are_warned_of(name, cells, danger):
    found = find_danger(name, cells)
    assert danger in found
    assert bool(danger) == bool(found)


def test_cells_are_read_as_they_are(make):
    assert read_cells(make(b'a,b\n"1",2\n\n3,4\n'), (0,)) == {0: [b'"1"', b"3"]}
