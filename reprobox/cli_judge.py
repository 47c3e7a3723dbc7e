"""The command that judges what others hand over."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reprobox.cli_app import GpuOption, JsonOption, open_settings, print_json, say
from reprobox.cli_bundle import AllowedSignersOption
from reprobox.errors import UsageError
from reprobox.gpus.selection import parse_selection
from reprobox.streams import write_line

if TYPE_CHECKING:
    from reprobox.handover import Aftermath
    from reprobox.judging.judge import JudgeOptions
    from reprobox.judging.judgement import Rung
    from reprobox.judging.terms import Contest


def judge_command(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="What entrants handed over; or folders of that.")
    ],
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
        str,
        typer.Option(
            "--runtime", metavar="NAME", help="The engine's runtime for the sandbox; runsc where it has that."
        ),
    ] = "",
    gpu: GpuOption = "none",
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="K", help="How many entries at once.")] = 1,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Print the judgement to PDF too, with a browser of this machine.")
    ] = False,
    remove_image: Annotated[
        bool, typer.Option("--remove-image", help="Remove each image from the engine once it has been judged.")
    ] = False,
    watched: Annotated[int, typer.Option("--watched", hidden=True, help="Be one of so many at once.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Judge what others handed over, in a sandbox.

    Says whether an entry gives what it claims: climbs from identity over the shipped model and the judge's own runs to
    fresh seeds, and stops where the answer is clear. Of several files each is judged by itself; what was judged before,
    under the same terms, is not again. Exit code 0 when every claim holds, 1 when not; of a single file also 7 when it
    did not run, 8 when it is refused.
    """
    from reprobox.bundle.model import SUFFIX
    from reprobox.handover import Aftermath, find_printer
    from reprobox.judging.children import list_bundles
    from reprobox.judging.judge import JudgeOptions
    from reprobox.judging.receive import prepare_out
    from reprobox.process import end_with_stdin

    if watched:  # one of many, and whoever asked for them can be killed
        end_with_stdin()
    terms = _read_contest(contest, inputs or (), runs, seeds)
    signers = allowed.absolute() if allowed else None
    options = JudgeOptions(terms, signers, rebuild, runtime, parse_selection(gpu))
    out = prepare_out(out)
    if len(bundles) == 1 and not bundles[0].is_dir():
        after = Aftermath(pdf, remove_image)
        raise typer.Exit(_judge_one(bundles[0], out, options, after, watched, as_json=as_json))
    said = {"--contest": contest, "--runs": runs, "--seeds": seeds, "--allowed-signers": signers, "--out": out}
    words = [word for name, value in said.items() if value is not None for word in (name, str(value))]
    words += [word for text in inputs or () for word in ("--input", text)]
    words += ["--rebuild"] * rebuild + ["--pdf"] * pdf + ["--remove-image"] * remove_image
    words += [f"--gpu={gpu}", f"--runtime={runtime}", f"--watched={jobs}", "--json"]
    files = list_bundles(bundles, SUFFIX)
    browser = find_printer(open_settings()) if pdf else ""
    raise typer.Exit(_judge_many(files, out, options, words, jobs, browser, as_json=as_json))


def _judge_one(path: Path, out: Path, options: JudgeOptions, after: Aftermath, watched: int, *, as_json: bool) -> int:
    from reprobox.console import PlainReporter
    from reprobox.handover import judge_file
    from reprobox.judging.receive import choose_folder
    from reprobox.judging.text import describe_judgement, describe_rung
    from reprobox.verdict import choose_exit

    show = say if as_json else _print
    folder = choose_folder(path, out)

    def on_rung(rung: Rung) -> None:
        show(describe_rung(rung))

    settings = open_settings()
    if watched:  # whoever asked for it shows of each entry the last line that it said
        settings = replace(settings, reporter=PlainReporter(sys.stderr, tells_watched=True))
    judgement = judge_file(path, folder, options, after, settings, on_rung, watched or 1)
    show(describe_judgement(judgement, folder))
    if as_json:
        print_json(judgement.to_json())
    return choose_exit(judgement.verdict)


def _judge_many(
    files: tuple[Path, ...],
    out: Path,
    options: JudgeOptions,
    words: Sequence[str],
    jobs: int,
    browser: str,
    *,
    as_json: bool,
) -> int:
    """Judge each in a process of its own, which is started with the words that this one was.

    ``browser`` prints the pages of those that had been judged before; "" prints none.
    """
    from reprobox.handover import print_pages
    from reprobox.judging.batch import NOT_JUDGED, REFUSED, rank_rows
    from reprobox.judging.children import Batch, judge_all
    from reprobox.judging.display import Display
    from reprobox.judging.receive import choose_folder
    from reprobox.judging.summary import describe_counts, write_summary

    program = [sys.executable, "-m", "reprobox", "judge"]
    batch = Batch(
        files, out, options.contest, options.digest, lambda path: [*program, str(path.absolute()), *words], jobs
    )
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    with Display(files, sys.stderr, live=live, color="NO_COLOR" not in os.environ) as display:
        rows = rank_rows(judge_all(batch, display.say, display.finish), options.contest)
    for row in rows if browser else ():
        if row.kept:
            print_pages(choose_folder(Path(row.file), out), browser, open_settings())
    write_summary(rows, options.contest, out)
    say(f"{describe_counts(rows)}\nsummary  {out / 'summary.html'}, with summary.csv and summary.json beside it")
    if as_json:
        print_json({"entries": [vars(row) for row in rows]})
    return int(any(row.exit_code or row.outcome in (REFUSED, NOT_JUDGED) for row in rows))


def _print(text: str) -> None:
    write_line(sys.stdout, text)


def _read_contest(path: Path | None, inputs: Sequence[str], runs: int | None, seeds: int | None) -> Contest:
    """Return the contest's terms, with what the command line says over them."""
    from reprobox.contributions.predictions import read_values
    from reprobox.judging.terms import Contest, read_contest

    contest = read_contest(path) if path else Contest()
    if contest.labels:  # what is wrong with them is the judge's mistake, and no entry's
        read_values(contest.labels, contest.labels_column)
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
