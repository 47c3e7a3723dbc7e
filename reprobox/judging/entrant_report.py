"""The entry's own report: checked as `report --check` does, and shown only as it is written anew from its data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reprobox.bundle.model import REPORT, Manifest
from reprobox.errors import UsageError
from reprobox.judging.allowance import Allowance, Overspent
from reprobox.judging.identity import Entry
from reprobox.languages import Reason, Said, list_languages, load_language, make_reason
from reprobox.report.build import build_report
from reprobox.report.check import check_report
from reprobox.report.check_read import read_report
from reprobox.report.layout import lay_out
from reprobox.report.model import Report
from reprobox.report.render import format_html
from reprobox.sizes import format_size

REPORT_FILE = f"{REPORT}report.json"
PAGES = "entrant-report.*"
"""What is written of it beside the judgement."""
LARGEST = 4 * 2**20
"""Bytes; a report of a thousand packages has half a megabyte."""
_SECONDS = 120.0
_MOST_NAMED = 3


@dataclass(frozen=True)
class EntrantReport:
    """What was found, and the pages that a judge can open: name and text."""

    notes: Said
    pages: tuple[tuple[str, str], ...] = ()


def is_unpacked(path: str) -> bool:
    """Whether a bundle's file comes onto the judge's disk: of the report its data alone, not its pages."""
    return not path.startswith(REPORT) or path == REPORT_FILE


def examine_report(entry: Entry, seconds: float = _SECONDS) -> EntrantReport:
    """Check the entry's report, and write its pages anew, with so much processor time at most."""
    packed = tuple(_note_packed(entry.manifest))
    try:
        with Allowance(seconds).spend():
            found = _examine(entry)
    except Overspent:
        found = EntrantReport((make_reason("report_unshown"),))
    return EntrantReport((*found.notes, *packed), found.pages)


def _examine(entry: Entry) -> EntrantReport:
    file = entry.manifest.find(REPORT_FILE)
    if file is None:
        return EntrantReport((make_reason("report_none"),))
    if file.size > LARGEST:
        return EntrantReport((make_reason("report_too_large", size=format_size(file.size), most=format_size(LARGEST)),))
    try:
        value = read_report(entry.folder / REPORT_FILE)
        problems = check_report(value)
    except UsageError as exc:
        return EntrantReport((make_reason("report_unreadable", why=_shorten(exc.message, entry.folder)),))
    if problems:
        return EntrantReport((make_reason("report_faulty", problems=len(problems), first=str(problems[0])),))
    try:
        report = build_report(value)
    except ValueError:  # it keeps the rules, and holds what no report of ours can
        return EntrantReport((make_reason("report_sound"), make_reason("report_unshown")))
    of_claim = (report.run.id, report.run.image_digest) == (entry.claim.id, entry.claim.image_digest)
    notes = (make_reason("report_sound"), *(() if of_claim else (make_reason("report_of_other", run=report.run.id),)))
    try:
        return EntrantReport(notes, tuple(_write_pages(report)))
    except (ArithmeticError, LookupError, ValueError):  # numbers and words that no report of ours has
        return EntrantReport((*notes, make_reason("report_unshown")))


def _write_pages(report: Report) -> Iterator[tuple[str, str]]:
    for language in map(load_language, list_languages()):
        yield f"entrant-report.{language.code}.html", format_html(lay_out(report, language), language)


def _note_packed(manifest: Manifest) -> Iterator[Reason]:
    names = [file.path.removeprefix(REPORT) for file in manifest.files if not is_unpacked(file.path)]
    if names:
        more = ", …" if names[_MOST_NAMED:] else ""
        yield make_reason("report_packed", files=len(names), names=", ".join(names[:_MOST_NAMED])[:300] + more)


def _shorten(message: str, folder: Path) -> str:
    return message.replace(f"{folder}/", "")[:300]
