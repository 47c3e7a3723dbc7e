"""``report.json`` -> report: to write somebody else's pages anew."""

from __future__ import annotations

from typing import Any

from reprobox.languages import make_reason, recognize
from reprobox.report.model import Report
from reprobox.typed_json import build_value

_AS_WRITTEN = "as_written"
"""The sentence that no version of ours writes: it stays in the language that it was written in."""


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
    """Return the sentence that a report's English text is, so that it can be said in any language."""
    found = recognize(text) or make_reason(_AS_WRITTEN, text=text)
    return {"key": found.key, "values": [list(one) for one in found.values]}
