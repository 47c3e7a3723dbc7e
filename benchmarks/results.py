"""Write what was measured: JSON for programs, a table for people, and on which machine it was."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measuring import Figure, Row

_WORDS = {True: "yes", False: "**no**", None: "not judged"}


def describe_machine(engine: Any) -> dict[str, Any]:  # noqa: ANN401 — the engine's own description
    """Return what the figures depend on."""
    cpus = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": f"{len(cpus)} x {cpus[0] if cpus else platform.machine()}",
        "memory_gib": round(pages / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": f"{engine.name} {engine.version}, {engine.store.value}, {engine.storage_driver}",
        "load_at_start": round(os.getloadavg()[0], 1),
    }


def write_results(folder: Path, machine: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write ``results.json`` and ``RESULTS.md``."""
    table = {"schema_version": 1, "machine": machine, "rows": [{**asdict(row), "met": row.met} for row in rows]}
    (folder / "results.json").write_text(json.dumps(table, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(format_table(machine, rows))


def format_table(machine: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the Markdown page."""
    lines = ["# Speed", "", "Made by `make bench`: both sides in one run, in turn, on one engine, without network."]
    lines += ["Each figure is the median of its rounds; ± is half the distance between their quartiles.", ""]
    lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in machine.items()]
    lines += ["", "| what | measured | at most | met | measured sides | note |", "|---|---|---|---|---|---|"]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:g} {row.unit}"
        sides = ", ".join(f"{name} {_format(figure, 's')}" for name, figure in row.sides.items())
        cells = (row.what, _format(row.figure, row.unit), limit, _WORDS[row.met], sides, row.note)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _format(figure: Figure, unit: str) -> str:
    return f"{figure.median:.3g} ± {figure.noise:.1g} {unit}"
