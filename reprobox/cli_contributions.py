"""The command that shows what each variable contributes, or finds it out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reprobox.cli_app import (
    DEFAULT_SPEC,
    EngineOption,
    GpuOption,
    JsonOption,
    PythonOption,
    open_spec,
    print_json,
    say,
)
from reprobox.errors import UsageError
from reprobox.gpus.selection import parse_selection
from reprobox.streams import escape_unprintable, write_line

if TYPE_CHECKING:
    from reprobox.contribution_flow import Found
    from reprobox.permutation import Estimate


def contributions_command(
    spec: Annotated[
        Path, typer.Argument(metavar="[SPEC|RUN]", help="The spec, or a run's id, folder or record.")
    ] = DEFAULT_SPEC,
    permute: Annotated[
        bool, typer.Option("--permute", help="Shuffle column by column and run predict each time.")
    ] = False,
    table: Annotated[
        str, typer.Option("--input", metavar="NAME[:FILE]", help="The input to shuffle; FILE in a folder.")
    ] = "",
    labels: Annotated[
        str, typer.Option("--labels", metavar="FILE[:COLUMN]", help="What predictions are scored against.")
    ] = "",
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="accuracy, auc, logloss, mae, r2 or rmse.")
    ] = "",
    predictions: Annotated[
        str, typer.Option("--predictions", metavar="FILE[:COLUMN]", help="The output that has the predictions.")
    ] = "",
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, max=10_000, help="How often each column is shuffled.", show_default="5"),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", min=0, metavar="K", help="Only the first K of the run's own contributions.")
    ] = 0,
    columns: Annotated[str, typer.Option("--columns", metavar="A,B", help="Only these columns.")] = "",
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="What the rows are: test, validation.")] = "",
    earlier: Annotated[str, typer.Option("--from", metavar="RUN", help="The run whose model is used.")] = "",
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=256, help="How many runs at once.", show_default="1")
    ] = None,
    gpu: GpuOption = "none",
    engine: EngineOption = "",
    python: PythonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what each variable contributes, or find it out.

    A run's program may have written contributions.csv; that is shown. With --permute each column of an input is
    shuffled, one at a time, and the predict stage is run again on it: for any language, from outside. With labels
    the score's loss counts, without them the shift of the predictions.
    """
    from reprobox.contribution_flow import PermuteOptions, find_contributions, permute_project
    from reprobox.contributions.text import describe_contributions

    found: tuple[Found, ...]
    if permute:
        names, gpus = _split_names(columns), parse_selection(gpu)
        options = PermuteOptions(
            table, labels, metric, predictions, names, top, repeats or 5, jobs or 1, split, earlier, gpus
        )
        project, settings = open_spec(spec, engine, python)
        found = (permute_project(project, settings, options, _Progress()),)
    elif gpu != "none" or any(
        (table, labels, metric, predictions, top, columns, split, earlier, repeats, jobs, engine, python)
    ):
        raise UsageError("these options go with --permute", hint="add it, or leave them out")
    else:
        found = find_contributions(spec)
    if as_json:
        print_json({"contributions": [one.to_json() for one in found]})
        return
    for one in found:
        write_line(sys.stdout, f"from     {one.title}, {one.folder}\n{describe_contributions(one.contributions)}")


def _split_names(text: str) -> tuple[str, ...]:
    """Return the names in a line of a CSV: those with a comma in them stand in quotes."""
    import csv

    return tuple(name for name in next(csv.reader([text]), []) if name)


class _Progress:
    """Says on stderr how far it is."""

    def estimate(self, found: Estimate) -> None:
        """Say what is to come."""
        from reprobox.reporting import format_count

        if found.key:
            say(f"left out {escape_unprintable(found.key)}: it ties predictions to labels")
        if found.baseline is not None:
            say(f"baseline {found.metric} {found.baseline:.6g}")
        at_once = f", {found.jobs} at once" if found.jobs > 1 else ""
        say(
            f"cost     {format_count(found.columns, 'column')} × {format_count(found.repeats, 'repeat')} ×"
            f" {found.seconds:.1f} s of predict{at_once}: about {_format_time(found.total)}"
        )

        if found.known:
            say(f"known    {found.known} of these runs, from a permutation that ended early")

    def score(self, column: str, importances: list[float]) -> None:
        """Say what a column gave."""
        say(f"shuffled {escape_unprintable(column)}: {sum(importances) / len(importances):.6g}")


def _format_time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
