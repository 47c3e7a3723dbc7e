"""Start the program: hear signals and have streams before anything slow is imported."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130
_ASKED_TO_END = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FOR_THE_PROGRAM = (signal.SIGUSR1, signal.SIGUSR2)
"""A run passes them on; while there is none they would only end this process with nothing tidied up."""


def main() -> None:
    """Run the program; a request to end is treated as Ctrl-C is, so that what was started is ended and removed."""
    end = _QuickEnd()
    _open_missing_streams()
    for number in _ASKED_TO_END:
        # What is ignored stays so: nohup ignores SIGHUP.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    for number in _FOR_THE_PROGRAM:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _do_nothing)
    try:
        from reprobox.cli import main as run_command

        run_command()
        end.code = 0
    except KeyboardInterrupt:
        end.code = _INTERRUPTED
        sys.exit(_INTERRUPTED)
    except SystemExit as exc:
        end.code = exc.code
        raise
    finally:
        # From here on there is nothing to tidy up, and Python would only print where it was.
        for number in (signal.SIGINT, *_ASKED_TO_END):
            if signal.getsignal(number) is signal.default_int_handler:
                signal.signal(number, signal.SIG_DFL)


class _QuickEnd:
    """Ends the process without taking everything in it apart first, which takes a tenth of a second."""

    def __init__(self) -> None:
        self.code: object = None
        atexit.register(self._leave)  # the first that is registered is the last that is called

    def _leave(self) -> None:
        if not isinstance(self.code, int):
            return  # an error of Python's own, whose code is Python's too
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except (OSError, ValueError):
            return  # Python says so
        os._exit(self.code & 0xFF)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Unlike an ignored signal, this is not inherited by the programs that are started."""


def _open_missing_streams() -> None:
    """Give closed standard streams (``>&-``) somewhere to go, before an opened file takes their number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115


if __name__ == "__main__":
    main()
