"""Report -> ``report.json``: the same report gives the same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import cast

from reprobox.languages import Language, Reason
from reprobox.report.model import Report

Json = dict[str, object]


def report_to_json(report: Report, english: Language) -> Json:
    """Return the report as JSON's values; its sentences are ``english``."""
    return cast(Json, _convert(report, english))


def format_report(report: Report, english: Language) -> str:
    """Return the text of ``report.json``."""
    return format_json(report_to_json(report, english))


def format_json(value: object) -> str:
    """Return JSON for files: indented, the keys in their order, no number that JSON lacks."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _convert(value: object, english: Language) -> object:
    match value:
        case Reason():
            return show_plain(english.fill(value))
        case StrEnum():
            return value.value
        case str():
            return show_plain(value)
        case float() if not math.isfinite(value):
            return None
        case tuple() | list():
            return [_convert(one, english) for one in value]
        case Mapping():
            return {show_plain(str(name)): _convert(one, english) for name, one in value.items()}
        case _ if is_dataclass(value):
            return {field.name: _convert(getattr(value, field.name), english) for field in fields(value)}
        case _:
            return value


def show_plain(text: str) -> str:
    """Return a text with everything made visible that no reader can see or print.

    Line breaks stay, and so does Japanese's wide blank, which stands between names.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\u3000" else _escape(one) for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
