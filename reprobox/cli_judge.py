"""The command that judges what others hand over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reprobox.cli_app import GpuOption, JsonOption, open_settings, print_json, say
from reprobox.cli_bundle import AllowedSignersOption
from reprobox.cli_verify import choose_exit
from reprobox.errors import UsageError
from reprobox.gpus.selection import parse_selection
from reprobox.streams import write_line

if TYPE_CHECKING:
    from reprobox.judging.contest import Contest


def judge_command(
    bundles: Annotated[list[Path], typer.Argument(metavar="FILE…", help="What entrants handed over.")],
    contest: Annotated[
        Path | None,
        typer.Option("--contest", metavar="FILE", help="The contest's own file: tolerance, metric, limits, data."),
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="NAME=PATH", help="Data that the entries read.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where everything is kept.")] = Path(
        "judgements"
    ),
    runs: Annotated[int | None, typer.Option("--runs", min=1, metavar="N", help="Runs of each entry.")] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=0, metavar="N", help="Fresh seeds where a claim is not met; 0: none.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the image anew and compare: needs the network.")
    ] = False,
    allowed: AllowedSignersOption = None,
    runtime: Annotated[
        str, typer.Option("--runtime", metavar="NAME", help="The engine's runtime for the sandbox: runsc.")
    ] = "",
    gpu: GpuOption = "none",
    as_json: JsonOption = False,
) -> None:
    """Check what others handed over, run it in a sandbox, and say whether it gives what it claims.

    Climbs from identity over the shipped model and the judge's own runs to fresh seeds, and stops where the answer is
    clear. Exit code 0 when the claim holds, 1 when not, 7 when it did not run, 8 when the file is refused.
    """
    from reprobox.handover import judge_file
    from reprobox.judging.judge import JudgeOptions
    from reprobox.judging.text import describe_judgement, describe_rung

    options = JudgeOptions(
        _read_contest(contest, inputs or (), runs, seeds), allowed, rebuild, runtime, parse_selection(gpu)
    )
    show = say if as_json else _print
    (bundle,) = bundles
    folder = (out / bundle.stem).absolute()
    judgement = judge_file(bundle, folder, options, open_settings(), lambda rung: show(describe_rung(rung)))
    show(describe_judgement(judgement, folder))
    if as_json:
        print_json(judgement.to_json())
    raise typer.Exit(choose_exit(judgement.verdict))


def _print(text: str) -> None:
    write_line(sys.stdout, text)


def _read_contest(path: Path | None, inputs: list[str] | tuple[()], runs: int | None, seeds: int | None) -> Contest:
    from dataclasses import replace

    from reprobox.judging.contest import Contest, read_contest

    contest = read_contest(path) if path else Contest()
    given = dict(contest.inputs)
    for text in inputs:
        name, equals, place = text.partition("=")
        if not equals or not name or not Path(place).exists():
            raise UsageError(f"--input {text}: no such data", hint="write NAME=PATH, the name as in the entry's spec")
        given[name] = Path(place).absolute()
    return replace(
        contest,
        inputs=given,
        runs=contest.runs if runs is None else runs,
        seeds=contest.seeds if seeds is None else seeds,
    )
