"""How progress looks, on a terminal and without one."""

import io
import os
import re
import time
from contextlib import ExitStack, suppress
from types import SimpleNamespace

import pytest

from reprobox import console
from reprobox.bars import _AmountColumn
from reprobox.console import PlainReporter, make_reporter
from reprobox.reporting import format_count, show_activity, show_tasks
from reprobox.sizes import format_size

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def strip_codes(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


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


def test_nothing_done_is_nothing_said():
    out = io.StringIO()
    reporter = PlainReporter(out)
    reporter.start_task("download 3 Debian packages", 1_000_000)
    reporter.end_task("download 3 Debian packages")
    assert out.getvalue() == ""


def test_an_instant_task_has_no_rate():
    out = io.StringIO()
    reporter = PlainReporter(out)
    reporter.start_task("torch", 1000)(1000)
    reporter.end_task("torch")
    assert out.getvalue() == "torch: 1.0 kB in 0.0 s\n"


def test_what_takes_long_is_told_meanwhile_and_how_fast_it_was(monkeypatch):
    clock = [time.monotonic()]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    out = io.StringIO()
    reporter = PlainReporter(out)
    advance = reporter.start_task("torch", 200_000_000)
    clock[0] += 20
    advance(50_000_000)
    clock[0] += 30
    advance(150_000_000)
    reporter.end_task("torch")
    lines = out.getvalue().splitlines()
    assert lines[0] == "torch: 50.0 MB of 200.0 MB"
    assert lines[-1].startswith("torch: 200.0 MB in 50.")
    assert lines[-1].endswith(" at 4.0 MB/s")


def test_a_task_without_bytes_is_named_at_its_start():
    out = io.StringIO()
    with show_activity(PlainReporter(out), "resolve the packages"):
        assert out.getvalue() == "resolve the packages\n"
    assert out.getvalue() == "resolve the packages\n"


def test_a_bar_has_name_size_and_fits_the_line(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm", "NO_COLOR": "1"})
    name = "download tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl"
    reporter.start_task(name, 2_000_000)
    reporter.end_task(name)
    shown = next(line for line in re.split(r"[\r\n]", strip_codes(terminal.getvalue())) if "MB" in line)
    assert shown.rstrip().endswith(" 0 B of 2.0 MB")
    assert shown.startswith("download tensorflow-2.21.0")
    assert len(shown.rstrip()) <= 80


def test_a_bar_says_how_much_and_how_fast():
    shown = _AmountColumn()
    task = SimpleNamespace(total=2_000_000, completed=500_000, speed=250_000.0, elapsed=2.0)
    assert shown.render(task).plain == "500.0 kB of 2.0 MB 250.0 kB/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.9, "59 s"),
        (61.4, "1 min 01 s"),
        (3599.9, "59 min 59 s"),
        (93_780, "26 h 03 min"),
    ],
)
def test_what_has_no_bytes_to_count_says_how_long_it_takes(seconds, text):
    assert _AmountColumn().render(SimpleNamespace(total=None, elapsed=seconds)).plain == text


def test_no_color_means_no_color(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm", "NO_COLOR": "1"})
    reporter.warn("odd")
    assert terminal.getvalue() == "warning: odd\n"


def test_a_warning_has_a_color_otherwise(terminal):
    make_reporter(terminal, {"TERM": "xterm"}).warn("odd")
    assert strip_codes(terminal.getvalue()) == "warning: odd\n" != terminal.getvalue()


def test_a_long_note_is_not_cut_into_lines(terminal):
    text = "a path of " + "x" * 100
    make_reporter(terminal, {"TERM": "xterm"}).note(text)
    assert terminal.getvalue() == text + "\n"


def test_the_cursor_is_shown_again_after_a_failure(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm"})
    with suppress(ValueError), show_tasks(reporter, "download") as show:
        show("torch", 10, 100)
        raise ValueError
    assert terminal.getvalue().rindex(SHOW_CURSOR) > terminal.getvalue().rindex(HIDE_CURSOR)


def test_what_is_told_of_a_bar_that_is_full_already_moves_nothing(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm"})
    with show_tasks(reporter, "layer") as show:
        for done in (0, 60, 100, 100, 100):  # files without any bytes are the last of a layer's
            show("torch", done, 100)
        show("nothing in it", 0, 0)
        show("nothing in it", 0, 0)
    assert terminal.getvalue().rindex(SHOW_CURSOR) > terminal.getvalue().rindex(HIDE_CURSOR)


def test_what_is_watched_shows_the_last_that_it_told_beside_its_time(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm"})
    with reporter.watch("run 1 of 2, seed 32") as tell:
        tell("epoch 1")
        tell("epoch 2 \x1b[2J" + "of very many words " * 20)
        with reporter.watch("run 2 of 2, seed 32"):
            shown = await_screen(terminal, lambda lines: len(lines) == 2)
    assert shown[0].startswith(r"run 1 of 2, seed 32 N s epoch 2 \x1b[2Jof very many words")
    assert shown[0].endswith("…")
    assert shown[1] == "run 2 of 2, seed 32 N s"
    assert terminal.lines == []
    assert terminal.getvalue().rindex(SHOW_CURSOR) > terminal.getvalue().rindex(HIDE_CURSOR)


def test_what_is_written_aside_stays_where_it_is_and_the_bars_come_back_below_it(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm"})
    with reporter.watch("run 2 of 3") as tell, reporter.watch("run 3 of 3"):
        for number in range(3):
            with reporter.aside():
                print(f"row {number}", file=terminal)
                assert terminal.lines == [f"row {one}" for one in range(number + 1)]
        tell("still there")
        shown = await_screen(terminal, lambda lines: "still there" in " ".join(lines))
        assert shown == ["row 0", "row 1", "row 2", "run 2 of 3 N s still there", "run 3 of 3 N s"]
        for _ in range(2):
            reporter.note("and a note above")
    with reporter.aside():
        print("row 3", file=terminal)
    assert terminal.lines == ["row 0", "row 1", "row 2", *["and a note above"] * 2, "row 3"]


def test_what_is_done_aside_may_have_a_bar_of_its_own(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm"})
    with reporter.watch("run 1 of 2"):
        with reporter.aside(), show_activity(reporter, "look at what it left"):
            print("row", file=terminal)
        assert await_screen(terminal, lambda lines: len(lines) == 2) == ["row", "run 1 of 2 N s"]
    assert terminal.lines == ["row"]


def test_more_than_fit_are_cut_after_something_was_written_aside_too(terminal):
    reporter = make_reporter(terminal, {"TERM": "xterm"})
    with ExitStack() as stack:
        for number in range(30):
            stack.enter_context(reporter.watch(f"run {number}"))
        with reporter.aside():
            print("row", file=terminal)
        shown = await_screen(terminal, lambda lines: lines and lines[-1].strip() == "...")
    assert len(shown) == 24
    assert shown[0] == "run 0  N s"
    assert shown[-1].strip() == "..."


def test_a_terminal_that_goes_away_ends_nothing(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        reporter = make_reporter(stream, {"TERM": "xterm"})
        with reporter.watch("run 1 of 2") as tell:
            os.close(ours)
            tell("epoch 1")
            with reporter.aside():
                pass
            reporter.note("nobody reads this")
        reporter.start_task("torch", 1000)(1000)
        reporter.end_task("torch")


def test_without_a_terminal_nothing_is_watched():
    out = io.StringIO()
    with PlainReporter(out).watch("run 1 of 2") as tell, PlainReporter(out).aside():
        tell("epoch 1")
    assert out.getvalue() == ""


def test_whoever_shows_the_last_line_alone_gets_one_every_few_seconds(monkeypatch):
    clock = [time.monotonic()]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    out = io.StringIO()
    with PlainReporter(out, tells_watched=True).watch("run 1 of 2") as tell:
        for epoch in range(1, 10):
            clock[0] += 2
            tell(f"epoch {epoch} \x1b[2J")
    assert out.getvalue().splitlines() == [
        "run 1 of 2",
        *(rf"run 1 of 2  epoch {epoch} \x1b[2J" for epoch in (3, 6, 9)),
    ]


def await_screen(terminal, is_there):
    """Return the lines of the screen as soon as they are what is waited for, or after ten seconds."""
    for _ in range(200):
        if is_there(lines := terminal.lines):
            break
        time.sleep(0.05)
    return lines


def test_a_dumb_terminal_gets_plain_lines(terminal):
    assert isinstance(make_reporter(terminal, {"TERM": "dumb"}), PlainReporter)


@pytest.mark.parametrize(("count", "text"), [(0, "0 layers"), (1, "1 layer"), (2, "2 layers")])
def test_one_is_singular(count, text):
    assert format_count(count, "layer") == text
