"""The contest's own file: what counts as the same, and what a stranger's program may take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reprobox.compare.model import Tolerance
from reprobox.contributions.scores import METRICS
from reprobox.errors import Problem, SpecError, UsageError
from reprobox.spec.paths import read_input_name
from reprobox.spec.quantities import read_duration, read_size
from reprobox.spec.values import (
    Reader,
    Value,
    read_choice,
    read_fields,
    read_flag,
    read_integer,
    read_scalar,
    read_table,
    read_text,
    shorten,
    suggest,
)
from reprobox.spec.yaml_nodes import MAX_BYTES, Position, decode_text, parse_nodes

CONTEST_SCHEMA = 1
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Metric:
    """The score that the contest ranks by."""

    name: str
    higher_is_better: bool = True


@dataclass(frozen=True)
class Limits:
    """What an entry's program may take; ``None`` follows the machine."""

    memory: int | None = None
    """Bytes; the default is three quarters of the machine's."""
    shm: int | None = None
    """Bytes; the default is half of the memory."""
    scratch: int = 1024 * MEBIBYTE
    """Bytes in /tmp, and in the home folder."""
    time: float = 86_400.0
    """Seconds for each stage."""
    comparing: float = 1_800.0
    """Seconds of the judge's own processor time for setting an entry's results against each other."""
    processes: int = 512
    open_files: int = 4096
    output: int = 10 * 1024 * MEBIBYTE
    """Bytes below /output."""
    output_files: int = 100_000
    bundle: int = 100 * 1024 * MEBIBYTE
    """Bytes that a bundle unpacks to."""


@dataclass(frozen=True)
class Contest:
    """What holds for every entry."""

    name: str = ""
    tolerance: Tolerance | None = None
    """``None``: the same content, or different."""
    metric: Metric | None = None
    predictions: str = ""
    """The output that holds them; empty: the likeliest by its name."""
    predictions_column: str = ""
    """Empty: by its name and place."""
    labels: Path | None = None
    """The true labels, which no program sees: with them the score is computed here."""
    labels_column: str = ""
    runs: int = 2
    seeds: int = 5
    """How many fresh seeds are tried where the claim was not met; 0: none."""
    inputs: dict[str, Path] = field(default_factory=dict)
    """The judges' own data, in place of the entrant's."""
    leaderboard: dict[str, float] = field(default_factory=dict)
    """Entry -> claimed score."""
    limits: Limits = Limits()
    read_only: bool = True
    """Whether a program may write to /output and to scratch folders only."""


def read_contest(path: Path) -> Contest:
    """Read a contest's file; raise ``SpecError`` with every problem in it, ``UsageError`` when it is not there."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}", hint="name the contest's file") from exc
    problems: list[Problem] = []
    try:
        nodes = parse_nodes(decode_text(data, str(path)), str(path), problems)
    except SpecError as exc:
        raise SpecError((*problems, *exc.problems)) from exc
    top = Value(nodes, "", str(path), problems, Position(1, 1))
    if "contest" not in top.entries():
        top.report_missing("contest", f"write 'contest: {CONTEST_SCHEMA}', the version of the format")
    values = read_fields(top, _readers(path.parent))
    _check_labels(top, values)
    if problems:
        raise SpecError(tuple(problems))
    values.pop("contest", None)
    return Contest(**values)  # type: ignore[arg-type]


def _check_labels(top: Value, values: Mapping[str, object]) -> None:
    """Report labels for a score that cannot be computed from them."""
    labels = top.entries().get("labels")
    if labels is None or values.get("labels") is None:
        return
    metric = values.get("metric")
    if not isinstance(metric, Metric):
        labels.report("labels are for a metric", "write 'metric: {name: accuracy}'")
    elif metric.name not in METRICS:
        hint = suggest(metric.name, METRICS) or f"there are {', '.join(METRICS)}; without labels, what programs print"
        labels.report(f"{shorten(metric.name)} is no metric that can be computed from labels", hint)
    elif METRICS[metric.name].larger_is_better != metric.higher_is_better:
        better = "higher" if METRICS[metric.name].larger_is_better else "lower"
        labels.report(f"{metric.name} is better {better}", f"write 'metric: {{name: {metric.name}, better: {better}}}'")


def _readers(folder: Path) -> dict[str, Reader[object]]:
    return {
        "contest": partial(read_integer, low=CONTEST_SCHEMA, high=CONTEST_SCHEMA, hint="upgrade reprobox"),
        "name": partial(read_text, expected="the contest's name"),
        "tolerance": _read_tolerance,
        "metric": _read_metric,
        "predictions": partial(read_text, expected="the name of an output, such as predictions.csv"),
        "predictions_column": partial(read_text, expected="a column's name", verbatim=True),
        "labels": partial(_read_path, folder=folder),
        "labels_column": partial(read_text, expected="a column's name", verbatim=True),
        "runs": partial(read_integer, low=1, high=1000),
        "seeds": partial(read_integer, low=0, high=10_000),
        "inputs": partial(read_table, read_entry=partial(_read_input, folder=folder)),
        "leaderboard": partial(read_table, read_entry=_read_score),
        "limits": _read_limits,
        "read_only": read_flag,
    }


def _read_tolerance(value: Value) -> Tolerance | None:
    found = read_fields(value, {"relative": _read_small, "absolute": _read_small})
    return Tolerance(**found)  # type: ignore[arg-type]


def _read_metric(value: Value) -> Metric | None:
    readers: dict[str, Reader[object]] = {
        "name": partial(read_text, expected="a metric's name, as runs leave it"),
        "better": partial(read_choice, choices=("higher", "lower")),
    }
    found = read_fields(value, readers)
    if "name" not in value.entries():
        value.report_missing("name", "write 'name: accuracy'")
        return None
    return Metric(str(found.get("name", "")), found.get("better", "higher") == "higher")


def _read_limits(value: Value) -> Limits | None:
    size: Callable[[Value], int | None] = partial(read_size, smallest=MEBIBYTE)
    readers: dict[str, Reader[object]] = {
        "memory": partial(read_size, smallest=16 * MEBIBYTE),
        **dict.fromkeys(("shm", "scratch", "output", "bundle"), size),
        **dict.fromkeys(("time", "comparing"), read_duration),
        "processes": partial(read_integer, low=8, high=1_000_000),
        "open_files": partial(read_integer, low=64, high=1_000_000),
        "output_files": partial(read_integer, low=1, high=10_000_000),
    }
    return Limits(**read_fields(value, readers))  # type: ignore[arg-type]


def _read_input(name: str, value: Value, folder: Path) -> Path | None:
    return _read_path(value, folder) if read_input_name(value, name) else None


def _read_path(value: Value, folder: Path) -> Path | None:
    text = read_text(value, "a file or folder", verbatim=True)
    if text is None:
        return None
    path = folder / text
    if not path.exists():
        value.report(f"{shorten(text)} does not exist", f"paths count from {folder}")
        return None
    return path.absolute()


def _read_score(name: str, value: Value) -> float | None:
    return _read_number(value, "a score")


def _read_small(value: Value) -> float | None:
    number = _read_number(value, "a number such as 1e-6")
    if number is not None and number < 0:
        value.report("a tolerance is not negative", "write a number such as 1e-6, or leave it out")
        return None
    return number


def _read_number(value: Value, expected: str) -> float | None:
    node = read_scalar(value, expected)
    if node is None:
        return None
    if not re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?", node.text) or not node.plain:
        value.report(f"expected {expected}, found {shorten(node.text)}", "write it with decimal digits, such as 0.912")
        return None
    number = float(node.text)
    if not math.isfinite(number):
        value.report(f"{shorten(node.text)} is out of range", "write a smaller number")
        return None
    return number
