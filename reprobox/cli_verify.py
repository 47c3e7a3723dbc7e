"""The command that repeats a run and says what that proves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reprobox.cli_app import (
    DEFAULT_SPEC,
    EngineOption,
    GpuOption,
    JsonOption,
    PythonOption,
    SpecArgument,
    open_spec,
    print_json,
    say,
)
from reprobox.errors import UsageError
from reprobox.gpus.selection import parse_selection
from reprobox.streams import write_line

if TYPE_CHECKING:
    from reprobox.compare.model import Tolerance


def verify_command(
    spec: SpecArgument = DEFAULT_SPEC,
    runs: Annotated[int, typer.Option("--runs", min=1, metavar="N", help="How many runs.")] = 5,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="K", help="How many of them at once.")] = 1,
    against: Annotated[
        str, typer.Option("--against", metavar="RUN", help="Compare with an earlier run: its id, folder or run.json.")
    ] = "",
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="T", help="How far apart numbers may be: 1e-6, or rtol=1e-6,atol=1e-9."),
    ] = "",
    cost: Annotated[bool, typer.Option("--cost", help="Also time the level off: what determinism costs.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Fingerprint steps, to name the first that parts.")] = False,
    gpu: GpuOption = "none",
    engine: EngineOption = "",
    python: PythonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run it N times and prove that the runs agree.

    Prints a row a run, then the verdict with what N runs prove. Outputs are compared by content: arrays, tensors,
    tables, JSON and text; nothing in them is executed. Exit code 0 when they are identical, or equivalent under the
    tolerance; 1 when not.
    """
    from reprobox.verdict import choose_exit
    from reprobox.verification import VerifyOptions
    from reprobox.verify_text import describe_row, describe_verification
    from reprobox.workflow import verify_project

    options = VerifyOptions(runs, jobs, against, _parse_tolerance(tolerance), cost, trace, parse_selection(gpu))
    project, settings = open_spec(spec, engine, python)
    show = say if as_json else _print
    found = verify_project(project, settings, options, lambda row: show(describe_row(row, runs)))
    show(describe_verification(found))
    if as_json:
        print_json(found.to_json())
    raise typer.Exit(choose_exit(found.judgement.verdict))


def _print(text: str) -> None:
    write_line(sys.stdout, text)


def _parse_tolerance(text: str) -> Tolerance | None:
    from reprobox.compare.model import Tolerance

    if not text:
        return None
    values = {"rtol": 0.0, "atol": 0.0}
    for item in text.split(","):
        name, equals, number = item.rpartition("=")
        try:
            values[name.strip() if equals else "rtol"] = value = float(number)
        except ValueError:
            value = -1.0
        if len(values) > 2 or not 0 <= value < float("inf"):
            raise UsageError(f"--tolerance {text}: cannot be read", hint="write 1e-6, or rtol=1e-6,atol=1e-9")
    return Tolerance(relative=values["rtol"], absolute=values["atol"])
