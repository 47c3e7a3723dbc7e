"""The frame of every command: the error boundary, the options that many take, and what comes from outside."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from reprobox.errors import UsageError
from reprobox.failure import describe_error, report_failure
from reprobox.streams import name_stream, silence, write_line

if TYPE_CHECKING:
    from reprobox.project import Project
    from reprobox.settings import Settings


class Boundary(TyperGroup):
    """The one place where a failure becomes a message and an exit code."""

    def make_context(self, *args: Any, **more: Any) -> Any:  # noqa: ANN401 — Typer's own signature
        """Parse the options, as which help and version are printed."""
        with _printing(), _wrong_options_told():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 — Typer's own signature
        """Run the command that was named."""
        try:
            with _wrong_options_told():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except (Exception, KeyboardInterrupt) as exc:
            raise _make_exit(exc) from None


class Command(TyperCommand):
    """One command."""

    def make_context(self, *args: Any, **more: Any) -> Any:  # noqa: ANN401 — Typer's own signature
        """Parse the options, as which help is printed."""
        with _printing():
            return super().make_context(*args, **more)


@contextmanager
def _printing() -> Iterator[None]:
    """End well when nobody reads on, and with the error of a full disk."""
    try:
        yield
    except BrokenPipeError:
        silence(sys.stdout)
        raise typer.Exit from None
    except OSError as exc:
        silence(sys.stdout)
        raise _make_exit(name_stream(exc, sys.stdout)) from None


def _make_exit(exc: BaseException) -> typer.Exit:
    return typer.Exit(report_failure(exc, as_json=_wants_json(), reports=_reports_folder()))


@contextmanager
def _wrong_options_told() -> Iterator[None]:
    """Tell a program what is wrong with its options; Typer tells a person."""
    try:
        yield
    except typer.TyperException as exc:
        if _wants_json():
            print_json({"error": describe_error(UsageError(exc.format_message()))})
        raise


SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec, or the folder it is in.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; all else goes to stderr.")]
GpuOption = Annotated[
    str,
    typer.Option("--gpu", metavar="[WHICH]", help="Run on NVIDIA GPUs: all of them, or those named: 0,1; none."),
]
EngineOption = Annotated[
    str,
    typer.Option("--engine", metavar="NAME", help="local: without a container, in a venv of the lock's packages."),
]
PythonOption = Annotated[
    str,
    typer.Option("--python", metavar="PATH", help="With --engine local: this interpreter and the packages it has."),
]
DEFAULT_SPEC = Path("spec.yaml")
NO_HOME = Path("/nonexistent")
"""What stands for the home folder of a user without one: nothing is found there."""


def split_command(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Split at the first ``--``."""
    if "--" not in arguments:
        return arguments, ()
    index = arguments.index("--")
    return arguments[:index], tuple(arguments[index + 1 :])


def _wants_json() -> bool:
    return "--json" in split_command(sys.argv[1:])[0]


def open_spec(spec: Path, engine: str = "", python: str = "") -> tuple[Project, Settings]:
    """Return a spec's places and what the outside world gives a command."""
    from dataclasses import replace

    from reprobox.project import open_project

    if engine not in ("", "local"):
        hint = "say local, or leave it out: DOCKER_HOST and the Docker context name a container engine"
        raise UsageError(f"--engine {engine}: there is no such engine", hint=hint)
    if python and engine != "local":
        raise UsageError("--python goes with --engine local", hint="an image has the Python that its spec says")
    return open_project(spec), replace(open_settings(), engine=engine, python=python)


def open_settings() -> Settings:
    """Read what the outside world gives a command."""
    from reprobox.console import make_reporter
    from reprobox.settings import Settings

    return Settings(
        cache=_cache_folder(),
        home=_home_folder() or NO_HOME,
        environ=dict(os.environ),
        caller=(os.getuid(), os.getgid()),
        reporter=make_reporter(sys.stderr, os.environ),
        now=lambda: datetime.now(UTC),
    )


def _home_folder() -> Path | None:
    """Return the home folder; a user without HOME and without an entry in the system's list has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _cache_folder() -> Path:
    if chosen := os.environ.get("REPROBOX_CACHE"):
        return Path(chosen).absolute()
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches, "reprobox").absolute()
    home = _home_folder()
    if home is None:
        raise UsageError("this user has no home folder, where the cache is", hint="set REPROBOX_CACHE or HOME")
    return (home / ".cache" / "reprobox").absolute()


def _reports_folder() -> Path:
    try:
        return _cache_folder()
    except UsageError:
        return Path(tempfile.gettempdir(), f"reprobox-{os.getuid()}")


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print an answer for machines."""
    import json

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if not text.isprintable():  # what a terminal would obey: JSON has escapes for all of it
        text = "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
    write_line(sys.stdout, text)


def say(text: str) -> None:
    """Tell a person, on stderr."""
    write_line(sys.stderr, text)
