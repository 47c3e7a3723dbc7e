"""What is shown of runs that nobody sees the output of."""

import pytest

from reprobox.fleet import _LastLine


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([b"epoch 1\n"], ["epoch 1"]),
        ([b"epoch 1\nepoch 2\nepo", b"ch 3\n"], ["epoch 2", "epoch 3"]),
        ([b"epoch 1"], []),
        ([b"\r 1 %", b"\r 2 %", b"\r 3 %"], ["1 %", "2 %"]),
        ([b"one\r\n", b"\n", b"\n\n  \n"], ["one"]),
        ([b"\xff\xe3\x81", b"\x82 \x1b[31mred\n"], ["\ufffd\u3042 \x1b[31mred"]),
        ([b"x" * 5000, b"y" * 5000 + b"\n", b"z\n"], ["x" * 1000, "z"]),
        ([b"", b"\n"], []),
    ],
)
def test_the_last_whole_line_is_told(pieces, told):
    heard = []
    taker = _LastLine(heard.append)
    for piece in pieces:
        taker.take("stdout", piece)
    assert heard == told


def test_two_streams_are_not_mixed():
    heard = []
    taker = _LastLine(heard.append)
    for stream, piece in (("stdout", b"epoch 1 lo"), ("stderr", b"a warning\n"), ("stdout", b"ss=0.5\n")):
        taker.take(stream, piece)
    assert heard == ["a warning", "epoch 1 loss=0.5"]


def test_a_line_without_an_end_takes_no_memory():
    taker = _LastLine(lambda text: None)
    for _ in range(1000):
        taker.take("stdout", b"x" * 65_536)
    assert sum(map(len, taker._rest.values())) <= 1000
