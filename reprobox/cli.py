"""The commands: parse what was typed, call the workflow, print what came of it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from reprobox import __version__
from reprobox.errors import UsageError
from reprobox.failure import report_failure
from reprobox.streams import write_line

if TYPE_CHECKING:
    from reprobox.settings import Settings
    from reprobox.workflow import Project


class _Boundary(TyperGroup):
    """The one place where a failure becomes a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 — Typer's own signature
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except (Exception, KeyboardInterrupt) as exc:
            raise typer.Exit(report_failure(exc, as_json=_wants_json(), reports=_cache_folder())) from None


app = typer.Typer(
    name="reprobox",
    cls=_Boundary,
    help="Reproducible training images and seeded runs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec, or the folder it is in.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; all else goes to stderr.")]
_DEFAULT_SPEC = Path("spec.yaml")


def main() -> None:
    """Run the program; what stands behind ``--`` is a command for the container, not for us."""
    arguments, command = split_command(sys.argv[1:])
    app(args=arguments, obj=command)


def split_command(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Split at the first ``--``."""
    if "--" not in arguments:
        return arguments, ()
    index = arguments.index("--")
    return arguments[:index], tuple(arguments[index + 1 :])


def _wants_json() -> bool:
    return "--json" in split_command(sys.argv[1:])[0]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reprobox {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The project.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a spec that is there.")] = False,
) -> None:
    """Propose a commented spec.yaml for a project.

    Looks at the imports, the requirement files and the paths that the programs write to.
    """
    from reprobox.workflow import init_project

    path = init_project(folder, force=force)
    _say(f"wrote {path}: read it through, then run `reprobox build {path}`")


@app.command("lock")
def lock_command(
    spec: SpecArgument = _DEFAULT_SPEC,
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

    project, settings = _open(spec)
    outcome = workflow.check_lock(project) if check else workflow.lock_project(project, settings, upgrade=upgrade)
    if as_json:
        _print_json(outcome.to_json())
    else:
        for line in outcome.changes or ("nothing changed",):
            _say(line)
        _say(f"lock: {outcome.path} ({outcome.digest})")


@app.command("render")
def render_command(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="What to write; it must be new or empty.")],
    spec: SpecArgument = _DEFAULT_SPEC,
) -> None:
    """Write a context for plain docker build.

    The folder has the Dockerfile and every file it needs: with it, `docker build` makes the same files offline and
    without reprobox.
    """
    from reprobox.workflow import render_project

    project, settings = _open(spec)
    render_project(project, settings, out)
    _say(f"wrote {out}: `docker build {out}` builds it offline")


@app.command("build")
def build_command(spec: SpecArgument = _DEFAULT_SPEC, as_json: JsonOption = False) -> None:
    """Make the image and load it into the engine.

    Locks first if there is no lock. The same spec, lock and source give the same image digest on every machine.
    """
    from reprobox.summary import describe_build
    from reprobox.workflow import build_project

    project, settings = _open(spec)
    result = build_project(project, settings)
    if as_json:
        _print_json(result.to_json())
    else:
        _say(describe_build(result))


@app.command("run")
def run_command(
    context: typer.Context,
    spec: SpecArgument = _DEFAULT_SPEC,
    gpu: Annotated[bool, typer.Option("--gpu", help="Give the container the NVIDIA GPUs.")] = False,
    stage: Annotated[
        str, typer.Option("--stage", metavar="NAME", help="Run only this stage: prepare, train or predict.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Run the training, seeded, in its container.

    Builds first where something changed. A command behind `--` runs instead of the spec's own:
    `reprobox run -- python train.py --epochs 1`.
    """
    from reprobox.summary import describe_run
    from reprobox.workflow import run_project

    project, settings = _open(spec)
    command: tuple[str, ...] = context.obj or ()
    if command and stage:
        raise UsageError("--stage and a command behind -- exclude each other", hint="leave one of them out")
    outcome = run_project(project, settings, gpu=gpu, stage=stage, command=command, quiet_stdout=as_json)
    if as_json:
        _print_json(outcome.to_json())
    else:
        _say(describe_run(outcome))
    raise typer.Exit(outcome.exit_status)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON schema of the spec.

    `reprobox init` writes it beside the spec, where editors with a YAML language server find it.
    """
    from reprobox.spec.schema import spec_schema

    _print_json(spec_schema(), indent=2)


@app.command("doctor")
def doctor_command(as_json: JsonOption = False) -> None:
    """Check what this machine has and what it lacks.

    Looks at the engine, its image store, the disk, the CPU, the GPU, the proxy and the certificates.
    """
    from reprobox.summary import describe_findings
    from reprobox.workflow import examine_machine

    outcome = examine_machine(_settings())
    if as_json:
        _print_json(outcome.to_json())
    else:
        write_line(sys.stdout, describe_findings(outcome.findings))
    raise typer.Exit(outcome.exit_status)


def _open(spec: Path) -> tuple[Project, Settings]:
    from reprobox.workflow import open_project

    return open_project(spec), _settings()


def _settings() -> Settings:
    from reprobox.console import make_reporter
    from reprobox.settings import Settings

    return Settings(
        cache=_cache_folder(),
        home=Path.home(),
        environ=dict(os.environ),
        caller=(os.getuid(), os.getgid()),
        reporter=make_reporter(sys.stderr, os.environ),
        now=lambda: datetime.now(UTC),
    )


def _cache_folder() -> Path:
    chosen = os.environ.get("REPROBOX_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "reprobox").absolute()


def _print_json(value: object, *, indent: int | None = None) -> None:
    import json

    write_line(sys.stdout, json.dumps(value, indent=indent, ensure_ascii=False))


def _say(text: str) -> None:
    write_line(sys.stderr, text)
