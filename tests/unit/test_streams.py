"""Streams whose reader went away, and text that is not to be trusted."""

import io
import os
from pathlib import Path

import pytest

from reprobox.streams import escape_unprintable, write_bytes, write_line


@pytest.fixture(params=[os.pipe, os.openpty])
def deserted(request):
    """A text stream into a pipe that nobody reads, and to a terminal whose window was closed."""
    reading, writing = request.param()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        yield stream


def test_a_reader_that_went_away_is_no_error_then_or_later(deserted):
    write_bytes(deserted, b"lost")
    write_line(deserted, "lost too")
    deserted.write("and this")
    deserted.flush()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_a_full_disk_is_an_error_that_names_the_stream():
    with Path("/dev/full").open("w") as stream, pytest.raises(OSError, match=r"No space left.*standard output"):
        write_bytes(stream, b"lost")


def test_a_line_is_utf_8_whatever_the_locale_and_names_that_are_no_text_are_escaped():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write_line(out, "ü \udcff")
    assert out.buffer.getvalue() == b"\xc3\xbc \\udcff\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü☃.txt", "plain ü☃.txt"),
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\udcff\u202e", "\\udcff\\u202e"),
    ],
)
def test_what_would_move_the_cursor_is_escaped(text, shown):
    assert escape_unprintable(text) == shown
