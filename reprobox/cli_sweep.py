"""The command that runs many seeds."""

from __future__ import annotations

from typing import Annotated

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
from reprobox.gpus.selection import parse_selection


def sweep_command(
    spec: SpecArgument = DEFAULT_SPEC,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100_000, help="How many, besides the spec's own.")] = 30,
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="Look at this metric only.")] = "",
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=256, help="How many runs at once.")] = 1,
    gpu: GpuOption = "none",
    engine: EngineOption = "",
    python: PythonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run many seeds and show how the metrics spread.

    The image stays the same: each run gets its seed from outside. Seeds that were run before are not run again, so a
    sweep that was stopped goes on where it was. The spec's own seed is set against all the others.
    """
    from reprobox.sweep_text import describe_seed_run, describe_summary, describe_unmeasured
    from reprobox.workflow import sweep_project

    project, settings = open_spec(spec, engine, python)
    outcome = sweep_project(
        project,
        settings,
        seeds=seeds,
        metric=metric,
        jobs=jobs,
        gpus=parse_selection(gpu),
        on_run=lambda run, known: say(describe_seed_run(run, metric, known)),
    )
    if as_json:
        print_json(outcome.to_json())
    else:
        for summary, picture in outcome.metrics:
            say(f"{describe_summary(summary, outcome.record.claimed_seed)}\npicture  {picture}")
        for name in outcome.unmeasured:
            say(describe_unmeasured(name, len(outcome.seeds)))
        say(f"record   {outcome.path}")
    raise typer.Exit(outcome.exit_status)
