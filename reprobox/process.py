"""Start a program: the one place that does, always with a time limit and never with a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """What a program left behind."""

    code: int
    stdout: str
    stderr: str


def run_program(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run ``argv`` to its end and return its exit code and output, decoded as UTF-8.

    ``env`` is added to the caller's environment; ``None`` takes a variable away. Raises ``FileNotFoundError``
    when there is no such program and ``subprocess.TimeoutExpired`` after ``timeout`` seconds; a non-zero exit
    raises nothing.
    """
    done = subprocess.run(
        list(argv),
        input=stdin,
        env={key: value for key, value in {**os.environ, **(env or {})}.items() if value is not None},
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class Followed:
    """A program whose stderr is read line by line while it runs; ended from another thread with ``stop``.

    Its stdin is a pipe that ends when this process does, however it is killed: see :func:`end_with_stdin`.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, on_line: Callable[[str], None]) -> Finished:
        """Run to the end; ``on_line`` gets each line of stderr as it comes."""
        with tempfile.TemporaryFile() as stdout:
            with self._lock:
                if self._stopped:
                    return Finished(-signal.SIGTERM, "", "")
                self._process = subprocess.Popen(
                    self._argv, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE, start_new_session=True
                )
            with self._process as process:
                assert process.stderr is not None
                lines = []
                while line := process.stderr.readline(_LONGEST_LINE):
                    lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    del lines[:-_KEPT_LINES]
                    on_line(lines[-1])
                code = process.wait()
            stdout.seek(0)
            return Finished(code, stdout.read(_LARGEST_OUTPUT).decode("utf-8", "replace"), "\n".join(lines))

    def stop(self) -> None:
        """Ask it to end, or keep it from starting."""
        with self._lock:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)


def end_with_stdin() -> None:
    """End this process as SIGTERM does, once nobody holds the other end of its stdin."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, _LONGEST_LINE):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


_LONGEST_LINE = 64 * 1024
_KEPT_LINES = 200
_LARGEST_OUTPUT = 256 * 2**20
