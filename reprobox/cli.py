"""The program: its commands by name, each imported when it is asked for."""

from __future__ import annotations

import sys
from collections import UserDict
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from reprobox import __version__
from reprobox.cli_app import Boundary, Command, split_command
from reprobox.gpus.selection import join_option

_MODULES = {
    "init": "cli_project",
    "lock": "cli_project",
    "render": "cli_project",
    "build": "cli_project",
    "run": "cli_project",
    "verify": "cli_verify",
    "diff": "cli_diff",
    "sweep": "cli_sweep",
    "contributions": "cli_contributions",
    "report": "cli_report",
    "compat": "cli_compat",
    "export": "cli_bundle",
    "inspect": "cli_bundle",
    "judge": "cli_judge",
    "schema": "cli_project",
    "doctor": "cli_project",
}
"""Command -> the module that has it, as ``<command>_command``; in the order of the help."""


class _Commands(UserDict[str, Any]):
    """The commands by name; one that nobody looks at is never imported, which is felt before every short one."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_MODULES))

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 — Typer has no public name for what a command is
        if self.data[name] is None:
            self.data[name] = _make_command(name)
        return self.data[name]


def _make_command(name: str) -> object:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=Command)(getattr(import_module(f"reprobox.{_MODULES[name]}"), f"{name}_command"))
    return get_command(alone)


class _Program(Boundary):
    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 — Typer's own signature
        super().__init__(**attributes)
        self.commands = _Commands()


app = typer.Typer(
    name="reprobox",
    cls=_Program,
    help="Reproducible training images and seeded runs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program; what stands behind ``--`` is a command for the container, not for us."""
    arguments, command = split_command(sys.argv[1:])
    app(args=join_option(arguments), obj=command)


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
