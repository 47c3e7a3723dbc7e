"""Validate somebody else's ``report.json``: its form, then whether it can be true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprobox.report.check_read import read_report
from reprobox.report.check_sense import find_contradictions
from reprobox.report.schema import report_schema
from reprobox.streams import escape_unprintable

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_MOST = 200
"""Problems that are told; whoever has more has another problem."""
_LONGEST = 200


@dataclass(frozen=True, order=True)
class ReportProblem:
    """One rule that a report breaks."""

    path: str
    """JSONPath: ``$.checklist[3].reason``."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def check_report_file(path: Path) -> tuple[ReportProblem, ...]:
    """Return every problem of a file; raise ``UsageError`` where it is no JSON at all."""
    return check_report(read_report(path))


def check_report(value: Any) -> tuple[ReportProblem, ...]:  # noqa: ANN401 — somebody's JSON
    """Return every problem of a report, in the order of their paths."""
    found = list(_check_form(value))
    if not found:
        # What has another form may have anything anywhere.
        found = [ReportProblem(path, _clean(message)) for path, message in find_contradictions(value)]
    return tuple(sorted(set(found), key=_order)[:_MOST])


def _check_form(value: object) -> Iterator[ReportProblem]:
    for error in islice(_make_validator().iter_errors(value), _MOST):
        error = _choose_branch(error)
        yield ReportProblem(_clean(error.json_path), _clean(_explain(error)))


@cache
def _make_validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(report_schema())


def _choose_branch(error: Any) -> Any:  # noqa: ANN401 — jsonschema's error
    """Of alternatives, take what is wrong with the one that is not ``null``."""
    while error.validator == "anyOf" and error.context:
        branches = [one for one in error.context if one.validator != "type" or one.validator_value != "null"]
        deepest = max(branches or error.context, key=lambda one: len(one.absolute_path))
        error = deepest
    return error


def _explain(error: Any) -> str:  # noqa: ANN401
    """Say it in few words: the library's show the whole value."""
    match error.validator:
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return f"{', '.join(missing)} is missing"
        case "additionalProperties":
            known = error.schema.get("properties", {})
            return f"unknown keys: {', '.join(sorted(name for name in error.instance if name not in known))}"
        case "type":
            return f"expected {error.validator_value}, found {_name_type(error.instance)}"
        case "enum":
            return f"expected one of {', '.join(map(str, error.validator_value))}, found {_show(error.instance)}"
        case "const":
            return f"expected {error.validator_value}, found {_show(error.instance)}"
        case "pattern" if error.validator_value == r"\S":
            return "is blank"
        case "pattern":
            return f"{_show(error.instance)} does not look like {error.validator_value}"
        case "maxLength":
            return f"{_show(error.instance)} is too long"
        case "minimum" | "maximum":
            return f"{_show(error.instance)} is beyond the {error.validator} of {error.validator_value}"
        case _:
            return str(error.message)


def _name_type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), f"the number {_show(value)}")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _clean(text: str) -> str:
    text = escape_unprintable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _order(problem: ReportProblem) -> tuple[list[tuple[int, str]], str]:
    """Put ``[2]`` before ``[10]``."""
    parts = re.split(r"(\d+)", problem.path)
    return [(int(part), "") if part.isdigit() and len(part) < 10 else (-1, part) for part in parts], problem.message
