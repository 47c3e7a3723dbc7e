"""What tracing costs: a training with and without it, in turn, and both leave the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from measuring import Figure, Row, make_ratio
from workbench import REPOSITORY, Workbench, parse_json

_PAIRS = 5
_LIMIT = 1.10


def measure_tracing(bench: Workbench, rounds: int) -> list[Row]:
    """Train examples/digits-torch in pairs; which of the two goes first alternates."""
    project = bench.folder / "projects" / "digits-torch"
    shutil.copytree(REPOSITORY / "examples" / "digits-torch", project, ignore=shutil.ignore_patterns(".reprobox"))
    bench.reprobox("build", project)
    first = parse_json(bench.reprobox("verify", "--json", "--runs", "2", project)[1])["runs"][0]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(min(rounds, _PAIRS)):
        for traced in (number % 2 == 1, number % 2 == 0):
            seconds[traced].append(_train(bench, project, traced, first))
    one, other = Figure(tuple(seconds[True])), Figure(tuple(seconds[False]))
    note = "examples/digits-torch, whole containers; checked: the same outputs"
    return [
        Row(
            "a traced run over one that is not",
            make_ratio(one, other),
            "x",
            _LIMIT,
            note,
            {"traced": one, "not": other},
        )
    ]


def _train(bench: Workbench, project: Path, traced: bool, first: dict[str, Any]) -> float:
    """Return how long one run takes; it must leave what the first left, which its exit code says too."""
    how = ["--runs", "1", "--against", first["run"], *(["--trace"] if traced else [])]
    (run,) = parse_json(bench.reprobox("verify", "--json", *how, project)[1])["runs"]
    traces = list((project / ".reprobox" / "runs" / run["run"] / "record").glob("trace-*.jsonl"))
    if run["outputs"] != first["outputs"] or bool(traces) is not traced:
        raise RuntimeError(f"other outputs than before, or traced where it should not be: {run}, {traces}")
    return float(run["seconds"])
