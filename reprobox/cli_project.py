"""The commands from a spec to its run: parse what was typed, call the workflow, print what came of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reprobox.cli_app import (
    DEFAULT_SPEC,
    EngineOption,
    GpuOption,
    JsonOption,
    PythonOption,
    SpecArgument,
    open_settings,
    open_spec,
    print_json,
    say,
)
from reprobox.errors import UsageError
from reprobox.gpus.selection import parse_selection
from reprobox.streams import write_line


def init_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The project.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a spec that is there.")] = False,
) -> None:
    """Propose a commented spec.yaml for a project.

    Looks at the imports, the requirement files and the paths that the programs write to.
    """
    from reprobox.workflow import init_project

    path = init_project(folder, force=force)
    say(f"wrote {path}: read it through, then run `reprobox build {path}`")


def lock_command(
    spec: SpecArgument = DEFAULT_SPEC,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare: exit 4 when the lock is missing or stale.")
    ] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest versions the spec allows.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Pin every package and the base by hash.

    The lock stands beside the spec, under the same name with .lock; commit both. What an existing lock has pinned stays
    as it is, as long as the spec still allows it.
    """
    from reprobox import workflow
    from reprobox.project import open_project

    if check:  # without a cache, which a user without a home has none of
        outcome = workflow.check_lock(open_project(spec))
    else:
        outcome = workflow.lock_project(*open_spec(spec), upgrade=upgrade)
    if as_json:
        print_json(outcome.to_json())
    else:
        for line in outcome.changes or ("nothing changed",):
            say(line)
        say(f"lock: {outcome.path} ({outcome.digest})")


def render_command(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="What to write; it must be new or empty.")],
    spec: SpecArgument = DEFAULT_SPEC,
) -> None:
    """Write a context for plain docker build.

    The folder has the Dockerfile and every file it needs: with it, `docker build` makes the same files offline and
    without reprobox.
    """
    from reprobox.workflow import render_project

    project, settings = open_spec(spec)
    render_project(project, settings, out)
    say(f"wrote {out}: `docker build {out}` builds it offline")


def build_command(spec: SpecArgument = DEFAULT_SPEC, as_json: JsonOption = False) -> None:
    """Make the image and load it into the engine.

    Locks first if there is no lock. The same spec, lock and source give the same image digest on every machine.
    """
    from reprobox.summary import describe_build
    from reprobox.workflow import build_project

    project, settings = open_spec(spec)
    result = build_project(project, settings)
    if as_json:
        print_json(result.to_json())
    else:
        say(describe_build(result))


def run_command(
    context: typer.Context,
    spec: SpecArgument = DEFAULT_SPEC,
    gpu: GpuOption = "none",
    engine: EngineOption = "",
    python: PythonOption = "",
    stage: Annotated[
        str, typer.Option("--stage", metavar="NAME", help="Run only this stage: prepare, train or predict.")
    ] = "",
    earlier: Annotated[
        str,
        typer.Option("--from", metavar="RUN", help="With --stage: start with what this run left, not the newest."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Run the training, seeded, in its container.

    Builds first where something changed. A stage alone starts with what the stages before it left in an earlier run. A
    command behind `--` runs instead of the spec's own:
    `reprobox run -- python train.py --epochs 1`.
    """
    from reprobox.summary import describe_run
    from reprobox.workflow import run_project

    project, settings = open_spec(spec, engine, python)
    command: tuple[str, ...] = context.obj or ()
    if command and stage:
        raise UsageError("--stage and a command behind -- exclude each other", hint="leave one of them out")
    if earlier and not stage:
        raise UsageError("--from goes with --stage", hint="say which stage is to go on from that run")
    gpus = parse_selection(gpu)
    outcome = run_project(
        project, settings, gpus=gpus, stage=stage, earlier=earlier, command=command, quiet_stdout=as_json
    )
    if as_json:
        print_json(outcome.to_json())
    else:
        say(describe_run(outcome))
    raise typer.Exit(outcome.exit_status)


def schema_command() -> None:
    """Print the JSON schema of the spec.

    `reprobox init` writes it beside the spec, where editors with a YAML language server find it.
    """
    from reprobox.spec.schema import spec_schema

    print_json(spec_schema(), indent=2)


def doctor_command(as_json: JsonOption = False) -> None:
    """Check what this machine has and what it lacks.

    Looks at the engine, its image store, the disk, the CPU, the GPU, the proxy and the certificates, and tries the
    package indexes and the Debian mirror.
    """
    from reprobox.summary import describe_findings
    from reprobox.workflow import examine_machine

    outcome = examine_machine(open_settings())
    if as_json:
        print_json(outcome.to_json())
    else:
        write_line(sys.stdout, describe_findings(outcome.findings))
    raise typer.Exit(outcome.exit_status)
