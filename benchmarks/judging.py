"""What judging costs beyond the runs themselves, and the disk that many entries on the same packages take."""

from __future__ import annotations

import shutil
from pathlib import Path

from disk import measure_tree
from measuring import Figure, Row
from workbench import Workbench, parse_json

_ROUNDS = 3
_FIXED = 5.0
"""Seconds that judging may take whatever the size of the image."""
_SCRIPT = "open('/output/answer.txt', 'w').write({!r})\n"


def measure_judging(bench: Workbench, rounds: int) -> list[Row]:
    """Judge an entry on an engine that holds nothing of it, and load the same file with the engine's own client."""
    project = _make_entry(bench, "judged", 0)
    bundle = _export(bench, project)
    beyond, loads = [], []
    for _ in range(min(rounds, _ROUNDS)):
        _forget(bench)
        loads.append(bench.docker("load", "-i", bundle)[0])
        _forget(bench)
        out = bench.folder / "judgements"
        took, printed = bench.reprobox("judge", "--json", "-o", out, bundle, cache=bench.folder / "judge")
        judged = parse_json(printed)
        if judged["verdict"] != "IDENTICAL":
            raise RuntimeError(f"not identical: {printed}")
        beyond.append(took - sum(run["seconds"] for run in judged["runs"]))
        shutil.rmtree(out)
    one, other = Figure(tuple(beyond)), Figure(tuple(loads))
    ratio = Figure(tuple((left - _FIXED) / right for left, right in zip(beyond, loads, strict=True)))
    note = f"{bundle.stat().st_size / 1e6:.0f} MB packed; the whole command without its runs and {_FIXED:.0f} s"
    return [Row("judging beyond its runs / `docker load`", ratio, "x", 1.2, note, {"judge": one, "docker load": other})]


def measure_entries(bench: Workbench, entries: int) -> list[Row]:
    """Judge thin entries on the same packages, and compare the engine's disk with that of the first and their own."""
    _forget(bench)
    own = 0
    first = 0
    for number in range(entries):
        project = _make_entry(bench, f"entry-{number}", number)
        bundle = _export(bench, project, "--thin")
        cache = bench.folder / "short"
        printed = bench.reprobox("judge", "--json", "--runs", "1", "-o", bench.folder / "many", bundle, cache=cache)[1]
        if parse_json(printed)["verdict"] != "IDENTICAL":
            raise RuntimeError(f"not identical: {printed}")
        bench.docker("image", "rm", "-f", f"reprobox/entry-{number}:latest")
        if number == 0:
            first = measure_tree(bench.data_root / "overlay2")
        else:
            own += sum(layer["size"] for layer in _list_layers(bench, bundle) if layer["held"])
    used = measure_tree(bench.data_root / "overlay2")
    note = f"{entries} thin entries, judged; the engine's layer folder, against that of the first and the others' own"
    return [Row("disk for entries on the same packages", Figure((used / (first + own),)), "x", 1.05, note)]


def _make_entry(bench: Workbench, name: str, number: int) -> Path:
    project = bench.folder / "projects" / name
    shutil.copytree(bench.folder / "projects" / "frameworks", project, ignore=shutil.ignore_patterns(".reprobox"))
    spec = project / "spec.yaml"
    spec.write_text(spec.read_text().replace("bench-frameworks", name) + "outputs: [answer.txt]\n")
    (project / "train.py").write_text(_SCRIPT.format(f"answer {number}"))
    bench.reprobox("lock", project, cache=bench.folder / "short")
    bench.reprobox("run", project, cache=bench.folder / "short")
    return project


def _export(bench: Workbench, project: Path, *options: str) -> Path:
    bundle = bench.folder / f"{project.name}.reprobox"
    bench.reprobox("export", *options, "-o", bundle, project, cache=bench.folder / "short")
    return bundle


def _list_layers(bench: Workbench, bundle: Path) -> list[dict[str, int]]:
    printed = bench.reprobox("inspect", "--json", bundle)[1]
    layers: list[dict[str, int]] = parse_json(printed)["manifest"]["layers"]
    return layers


def _forget(bench: Workbench) -> None:
    """Have the engine hold nothing."""
    if names := bench.docker("image", "ls", "-q", "--no-trunc")[1].split():
        bench.docker("image", "rm", "-f", *sorted(set(names)))
    bench.docker("image", "prune", "-f")
