"""Which versions of a backend have a switch: ``versions.json``, with the source of each fact."""

import os

from .jsontext import parse_json

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "versions.json")
_read = {}


def covers(name, version):
    """Whether this version has the switch; None when that is not known."""
    span = _find_span(name)
    found = _parse(version)
    if not span or not found:
        return None
    until = span.get("until")
    return found >= _parse(span["since"]) and (not until or found[: len(_parse(until))] <= _parse(until))


def describe_absence(name, version):
    """Return why a switch is not there, "" when nothing is known of it."""
    span = _find_span(name)
    if not span:
        return ""
    words = "needs %s %s" % (span["package"], span["since"])
    if span.get("until"):
        words += " to %s" % span["until"]
    if covers(name, version):
        return "%s should have it: %s" % (version, words)
    return "; ".join(part for part in (words, span.get("instead")) if part)


def _find_span(name):
    if not _read:
        with open(_PATH, "rb") as file:
            _read.update(parse_json(file.read().decode("utf-8")))
    return _read.get(name)


def _parse(version):
    """Return the numbers that a version begins with: "2.13.0+cpu" is (2, 13, 0)."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
