"""Readers of sizes, durations and numbers of CPUs."""

from __future__ import annotations

import re
from fractions import Fraction

from reprobox.spec.values import Value, read_scalar, shorten

SIZE = r"[0-9]{1,15}(\.[0-9]{1,3})? ?([kKmMgGtT]([iI]?[bB])?|[bB])?"
DURATION = r"([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}(\.[0-9]{1,3})?s)?"
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LARGEST = 2**50
_LONGEST = 366 * 86400


def read_size(value: Value, smallest: int) -> int | None:
    """Return bytes from "8g", "512m", "1.5 GiB" or a plain number of bytes; every unit is a power of 1024."""
    node = read_scalar(value, "a size such as 8g")
    if node is None:
        return None
    if not re.fullmatch(SIZE, node.text):
        value.report(f"{shorten(node.text)} is not a size", "write a number and a unit: 512m, 8g, 1.5g")
        return None
    number, unit = re.fullmatch("([0-9.]+) ?(.?).*", node.text).groups()  # type: ignore[union-attr]
    size = Fraction(number) * _UNITS[unit.lower()]
    if size.denominator != 1:
        value.report(f"{node.text} is not a whole number of bytes", "" if unit else f"did you mean {node.text}g?")
    elif size < smallest:
        hint = f"did you mean {node.text}g?" if node.text.isdigit() else ""
        value.report(f"{node.text} is too small: the least is {smallest // 2**20 or smallest}m", hint)
    elif size > _LARGEST:
        value.report(f"{node.text} is too large", f"the most is {_LARGEST >> 40}t")
    else:
        return int(size)
    return None


def read_duration(value: Value) -> float | None:
    """Return seconds from "2h", "1h30m", "45s" or a plain number of seconds."""
    node = read_scalar(value, "a duration such as 2h")
    if node is None:
        return None
    text = node.text
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text):
        seconds = float(text)
    elif text and re.fullmatch(DURATION, text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([dhms])", text))
    else:
        value.report(f"{shorten(text)} is not a duration", "write a number and a unit: 90s, 45m, 2h, 1h30m, 1d")
        return None
    if not 0 < seconds <= _LONGEST:
        value.report(
            f"{text} is out of range", "use more than nothing and at most 366d, or remove the line for no limit"
        )
        return None
    return seconds


def read_cpus(value: Value) -> float | None:
    """Return a number of CPUs; fractions are allowed."""
    node = read_scalar(value, "a number of CPUs such as 2 or 1.5")
    if node is None:
        return None
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", node.text) or not node.plain:
        value.report(f"{shorten(node.text)} is not a number of CPUs", "write 2 or 1.5, without quotes")
        return None
    cpus = float(node.text)
    if not 0.01 <= cpus <= 4096:
        value.report(f"{node.text} is out of range", "use 0.01 to 4096, or remove the line for all CPUs")
        return None
    return cpus
