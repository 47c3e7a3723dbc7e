"""How progress looks where there is no terminal."""

import io

import pytest

from reprobox.console import PlainReporter, format_size, make_reporter


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (191_794_682, "191.8 MB"), (2.2e12, "2.2 TB")]
)
def test_sizes_are_for_people(count, text):
    assert format_size(count) == text


def test_no_terminal_means_plain_lines():
    assert isinstance(make_reporter(io.StringIO(), {}), PlainReporter)


def test_a_finished_task_is_one_line_with_its_size():
    out = io.StringIO()
    reporter = PlainReporter(out)
    advance = reporter.start_task("torch", 1_000_000)
    advance(400_000)
    advance(600_000)
    reporter.end_task("torch")
    assert out.getvalue().startswith("torch: 1.0 MB in ")
    assert out.getvalue().count("\n") == 1


def test_warnings_say_that_they_are():
    out = io.StringIO()
    PlainReporter(out).warn("the index did not answer")
    assert out.getvalue() == "warning: the index did not answer\n"
