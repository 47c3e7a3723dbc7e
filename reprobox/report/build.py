"""``report.json`` -> report: to write somebody else's pages anew."""

from __future__ import annotations

from typing import Any

from reprobox.report.model import Report
from reprobox.typed_json import build_value

_AS_WRITTEN = "as_written"
"""The sentence that is another's: it stays in the language that it was written in."""


def build_report(value: dict[str, Any]) -> Report:
    """Return the report that a JSON value is, in which `check_report` has found nothing wrong.

    Raises ``Misfit`` for any other.
    """
    items = [{**item, "reason": _quote(item["reason"])} for item in value["checklist"]]
    said = {
        **value,
        "checklist": sorted(items, key=lambda item: int(item["number"])),
        "notes": [_quote(note) for note in value["notes"]],
    }
    report: Report = build_value(Report, said, "")
    return report


def _quote(text: str) -> dict[str, object]:
    return {"key": _AS_WRITTEN, "values": [["text", text]]}
