"""The command that shows what frameworks and CUDAs go together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reprobox.cli_app import JsonOption, print_json
from reprobox.streams import write_line


def compat_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="torch, tensorflow, cuda or images.")] = "",
    version: Annotated[str, typer.Argument(metavar="VERSION", help="One version; without it, all of them.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show which Pythons, CUDAs, cuDNNs and drivers go together.

    `cuda: auto` and the checks of a spec read these tables. What they lack or have wrong is said in a spec itself:
    `compat: {torch: {cuda: 13.2}}`.
    """
    from reprobox.resolve.compat_rows import describe_rows, list_rows

    rows = list_rows(name, version)
    if as_json:
        print_json({"rows": rows})
    else:
        write_line(sys.stdout, describe_rows(rows))
