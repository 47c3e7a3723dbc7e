"""The commands `export` and `inspect`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from reprobox.bundle.packing import Compression
from reprobox.cli_app import DEFAULT_SPEC, JsonOption, SpecArgument, open_settings, open_spec, print_json, say
from reprobox.streams import write_line

AllowedSignersOption = Annotated[
    Path | None,
    typer.Option(
        "--allowed-signers", metavar="FILE", help="Refuse a bundle that nobody in this file signed; see ssh-keygen(1)."
    ),
]


def export_command(
    spec: SpecArgument = DEFAULT_SPEC,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Default: NAME.reprobox here.")
    ] = None,
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="Hand over this run's outputs, not the newest's.")
    ] = "",
    with_inputs: Annotated[bool, typer.Option("--with-inputs", help="Put the inputs' data in too.")] = False,
    thin: Annotated[
        bool, typer.Option("--thin", help="Leave out the base and the packages: the judge has them, or makes them.")
    ] = False,
    compression: Annotated[
        Compression, typer.Option("--compression", help="gzip: for engines before Docker 23.")
    ] = Compression.ZSTD,
    key: Annotated[Path | None, typer.Option("--sign", metavar="KEY", help="Sign with this SSH key.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-secret",
            metavar="FILE",
            help="This file, or what is below this folder, looks like a secret, and is none.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pack everything a judge needs into one file.

    Image, spec, lock, source, report and the outputs of a run. The same project and run give the same bytes. Any
    engine loads it as an image; `reprobox judge` does the rest.
    """
    from reprobox.bundle_text import describe_export, export_to_json
    from reprobox.export import ExportOptions
    from reprobox.handover import export_project

    project, settings = open_spec(spec)
    options = ExportOptions(out, run, with_inputs, thin, compression, key, frozenset(allow or ()))
    exported = export_project(project, settings, options)
    if as_json:
        print_json(export_to_json(exported))
    else:
        say(describe_export(exported))


def inspect_command(
    bundle: Annotated[Path, typer.Argument(metavar="FILE", help="What `reprobox export` wrote.")],
    check: Annotated[bool, typer.Option("--check", help="Read all of it and check every digest.")] = False,
    allowed: AllowedSignersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a bundle holds, loading and running nothing."""
    from reprobox.bundle.compression import detect
    from reprobox.bundle.read import check_members, read_heading
    from reprobox.bundle.signature import check_signature
    from reprobox.bundle_text import bundle_to_json, describe_bundle
    from reprobox.reporting import show_tasks

    heading = read_heading(bundle)
    signed = "by a key that was not checked: --allowed-signers FILE" if heading.signature else "no"
    if allowed is not None:
        signed = f"by {check_signature(heading.text, heading.signature, allowed)}"
    if check:
        with show_tasks(open_settings().reporter, "check") as show:
            check_members(bundle, heading, on_progress=partial(show, bundle.name))
    if as_json:
        print_json(bundle_to_json(heading, detect(bundle), signed, checked=check))
    else:
        write_line(sys.stdout, describe_bundle(bundle, heading, detect(bundle), signed, checked=check))
