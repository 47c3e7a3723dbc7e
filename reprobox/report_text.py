"""Say in words what a report came to."""

from __future__ import annotations

from reprobox.languages import load_language
from reprobox.report.values import Answer
from reprobox.report_project import ReportOutcome
from reprobox.streams import escape_unprintable


def describe_report(outcome: ReportOutcome) -> str:
    """Return what was written, and what the report lacks."""
    english = load_language("en")
    report = outcome.report
    counts = ", ".join(f"{outcome.count(answer)} {answer}" for answer in Answer)
    lines = [f"report   {outcome.folder}", f"run      {report.run.id}", f"items    {counts}"]
    for item in report.checklist:
        if item.answer is Answer.NO:
            name = english[f"item.{item.item}"]
            lines.append(f"lacks    {item.number}. {name}: {escape_unprintable(english.fill(item.reason))}")
    lines += [f"note     {escape_unprintable(english.fill(note))}" for note in report.notes]
    return "\n".join(lines)
