"""The command that writes the report a contest asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reprobox.cli_app import DEFAULT_SPEC, JsonOption, SpecArgument, open_spec, print_json, say


def report_command(
    spec: SpecArgument = DEFAULT_SPEC,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="What to write: new, empty, or an earlier report."),
    ] = None,
    run: Annotated[
        str,
        typer.Option("--run", metavar="RUN", help="Report on this run, not the newest: its id, folder or run.json."),
    ] = "",
    lang: Annotated[str, typer.Option("--lang", metavar="CODES", help="Languages of the text: ja,en.")] = "ja,en",
    formats: Annotated[
        str, typer.Option("--format", metavar="NAMES", help="Of json,md,html,pdf,kaggle,sbom; all of them by default.")
    ] = "",
    init: Annotated[bool, typer.Option("--init", help="Write a commented report.yaml to fill in.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --init: replace one that is there.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of report.json.")] = False,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Validate somebody's report.json instead.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report that a contest asks for.

    Source and procedure, contributions, environment, seeds, and what other venues ask for besides: taken from the
    records of a run, or declared in report.yaml, and it says which of the two.
    """
    if schema:
        from reprobox.report.schema import report_schema

        print_json(report_schema(), indent=2)
    elif check is not None:
        raise typer.Exit(_check(check, as_json))
    elif init:
        _init(spec, force)
    else:
        _write(spec, out, run, lang, formats, as_json)


def _init(spec: Path, force: bool) -> None:
    from reprobox.report_project import init_declared

    project, _ = open_spec(spec)
    say(f"wrote {init_declared(project, force=force)}: fill it in, then run `reprobox report`")


def _write(spec: Path, out: Path | None, run: str, lang: str, formats: str, as_json: bool) -> None:
    from reprobox.languages import choose_languages
    from reprobox.report.files import choose_formats
    from reprobox.report_project import ReportOptions, report_project
    from reprobox.report_text import describe_report

    options = ReportOptions(out, run, choose_languages(lang), choose_formats(formats))
    project, settings = open_spec(spec)
    outcome = report_project(project, settings, options)
    if as_json:
        print_json(outcome.to_json())
    else:
        say(describe_report(outcome))


def _check(path: Path, as_json: bool) -> int:
    from reprobox.report.check import check_report_file
    from reprobox.reporting import format_count

    problems = check_report_file(path)
    if as_json:
        print_json({"file": str(path), "valid": not problems, "problems": [vars(one) for one in problems]})
    else:
        for problem in problems:
            say(str(problem))
        say(f"{path}: {format_count(len(problems), 'problem') if problems else 'a valid report'}")
    return 1 if problems else 0
