"""Reading ahead: the same bytes in the same order, the same errors, and nothing that goes on afterwards."""

import threading
import time

import pytest

from reprobox.bundle.ahead import read_ahead


def threads():
    return [one for one in threading.enumerate() if one.name == "read-ahead"]


def test_it_yields_the_same_and_then_ends():
    assert list(read_ahead(bytes([number]) for number in range(100))) == [bytes([number]) for number in range(100)]
    assert list(read_ahead(iter(()))) == []
    assert threads() == []


def test_an_error_comes_where_it_came():
    def broken():
        yield b"one"
        raise ValueError("damaged")

    ahead = read_ahead(broken())
    assert next(ahead) == b"one"
    with pytest.raises(ValueError, match="damaged"):
        next(ahead)
    assert threads() == []


def test_it_reads_no_further_than_a_few_chunks_and_stops_when_nobody_wants_more():
    read = []
    closed = []

    def endless():
        try:
            while True:
                read.append(1)
                yield b"x"
        finally:
            closed.append(True)

    ahead = read_ahead(endless())
    next(ahead)
    time.sleep(0.3)
    assert len(read) < 10
    ahead.close()
    assert (threads(), closed) == ([], [True])


def test_it_reads_while_somebody_is_busy():
    reached = [threading.Event() for _ in range(3)]

    def source():
        for event in reached:
            event.set()
            yield b"x"

    ahead = read_ahead(source())
    next(ahead)
    assert [event.wait(20) for event in reached] == [True] * 3
    ahead.close()
