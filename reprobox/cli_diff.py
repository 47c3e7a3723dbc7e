"""The command that sets two runs against each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reprobox.cli_app import JsonOption, print_json
from reprobox.streams import write_line

_RUNS = Path(".reprobox", "runs")


def diff_command(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="A run's id, its folder, or the run.json in it.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="Another.")],
    as_json: JsonOption = False,
) -> None:
    """Name the first thing in which two runs differ.

    Where both were traced: the stage, the step and the tensor, how far apart they are there, and whether the random
    generators still agreed. Then what else was not the same about the runs, and their outputs. Exit code 1 when the
    results differ.
    """
    from reprobox.diff_text import describe_diff
    from reprobox.record_text import find_run
    from reprobox.run_diff import compare_runs

    diff = compare_runs(find_run(run_a, _RUNS), find_run(run_b, _RUNS))
    if as_json:
        print_json(diff.to_json())
    else:
        write_line(sys.stdout, describe_diff(diff))
    raise typer.Exit(0 if diff.same else 1)
