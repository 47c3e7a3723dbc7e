"""The published JSON schema of ``report.json``, made of the annotations of the model."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from reprobox.languages import Reason
from reprobox.report.model import REPORT_SCHEMA, Report
from reprobox.report.values import Rule

Schema = dict[str, Any]
SCHEMA_ID = f"urn:reprobox:report:{REPORT_SCHEMA}"
_PLAIN: dict[object, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def report_schema() -> Schema:
    """Return the schema (JSON Schema 2020-12)."""
    definitions: dict[str, Schema] = {}
    top = _describe_class(Report, definitions)
    top["properties"]["schema_version"] = {"const": REPORT_SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": f"reprobox report, version {REPORT_SCHEMA}",
        "description": "A contest report: every fact is measured, with a trace to a record, or declared by a person;"
        " null is what is not known. Sizes are bytes, times seconds.",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _describe_class(wanted: type, definitions: dict[str, Schema]) -> Schema:
    hints = typing.get_type_hints(wanted, include_extras=True)
    names = [field.name for field in fields(wanted)]
    return {
        "type": "object",
        "description": (wanted.__doc__ or "").splitlines()[0],
        "additionalProperties": False,
        "required": names,
        "properties": {name: _describe(hints[name], definitions) for name in names},
    }


def _describe(wanted: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: ANN401 — an annotation
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Annotated:
        rules = {key: value for rule in inner[1:] if isinstance(rule, Rule) for key, value in rule.schema}
        return _describe(inner[0], definitions) | rules
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [_describe(one, definitions) for one in inner]}
    if origin is tuple:
        return {"type": "array", "items": _describe(inner[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _describe(inner[1], definitions)}
    if wanted is Reason:
        return {"type": "string", "pattern": r"\S"}
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return {"enum": [one.value for one in wanted]}
    if is_dataclass(wanted):
        return _refer_to(typing.cast(type, wanted), definitions)
    return {"type": _PLAIN[wanted]}


def _refer_to(wanted: type, definitions: dict[str, Schema]) -> Schema:
    name = wanted.__name__
    if name not in definitions:
        definitions[name] = {}  # which ends a circle
        definitions[name] = _describe_class(wanted, definitions)
    return {"$ref": f"#/$defs/{name}"}


def list_names(schema: Schema) -> Iterator[str]:
    """Yield the name of every property that some object of the schema has."""
    for one in (schema, *schema["$defs"].values()):
        yield from one["properties"]
