"""The short commands: one file edited, nothing changed, a run, the help; and what the runtime costs inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from measuring import Figure, Row, make_difference
from workbench import Workbench, parse_json

SMALL = "reprobox/bench-small:latest"
_COMMAND = ("python", "-c", "pass")
_RUNTIME = Path(__file__).with_name("time_runtime.py")


def measure_builds(bench: Workbench, rounds: int) -> list[Row]:
    """Build the large image again, with nothing changed and with one line more in its source."""
    project = bench.folder / "projects" / "frameworks"
    cache = bench.folder / "short"
    bench.reprobox("build", project, cache=cache)

    def edit() -> float:
        with (project / "train.py").open("a") as script:
            script.write("# one more line\n")
        seconds, output = bench.reprobox("build", "--json", project, cache=cache)
        new = [layer["what"] for layer in parse_json(output)["layers"] if not layer["cached"]]
        sent = re.findall(r"^(?:load|loading) .*: ([0-9.]+ [kMG]?B) in ", output, re.MULTILINE)
        if new != ["source"] or any(unit in one for one in sent for unit in ("MB", "GB")):
            raise RuntimeError(f"more than the source layer was made or sent: {new}, {sent}")
        return seconds

    edited = _repeat(edit, rounds)
    same = _repeat(lambda: bench.reprobox("build", project, cache=cache)[0], rounds)
    return [
        Row("build after one source file was edited", edited, "s", 1.0, "checked: only the source layer is new"),
        Row("build with nothing changed", same, "s", 0.5),
    ]


def measure_help(bench: Workbench, rounds: int) -> list[Row]:
    """Ask for help."""
    return [Row("`reprobox --help`", _repeat(lambda: bench.reprobox("--help")[0], rounds), "s", 0.25)]


def measure_run(bench: Workbench, rounds: int) -> list[Row]:
    """Run one command with the program and with the engine's own client, in turn."""
    project, cache = bench.copy_project("small", cache=bench.folder / "short"), bench.folder / "short"
    bench.reprobox("build", project, cache=cache)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(bench.reprobox("run", project, "--", *_COMMAND, cache=cache)[0])
        theirs.append(bench.docker("run", "--rm", "--network", "none", SMALL, *_COMMAND)[0])
    one, other = Figure(tuple(ours)), Figure(tuple(theirs))
    sides = {"reprobox run": one, "docker run": other}
    note = "the same image and command; reprobox also checks the image and keeps a record"
    return [Row("`run` over `docker run`", make_difference(one, other), "s", 0.3, note, sides)]


def measure_runtime(bench: Workbench, rounds: int) -> list[Row]:
    """Import NumPy with and without the runtime's hook, inside one container."""
    argv = ["run", "--rm", "--network", "none", "--user", "0:0", "-v", f"{_RUNTIME}:/tmp/time_runtime.py:ro"]
    argv += ["--entrypoint", "/opt/venv/bin/python", SMALL, "-I", "/tmp/time_runtime.py", str(rounds)]
    measured = parse_json(bench.docker(*argv)[1])
    one, other, start = (Figure(tuple(measured[name])) for name in ("with", "without", "entrypoint"))
    sides = {"with the hook": one, "without": other}
    return [
        Row("the runtime, in a script that imports NumPy only", make_difference(one, other), "s", 0.03, "", sides),
        Row("the entrypoint, once for each run", make_difference(start, one), "s", None, "part of `run` above"),
    ]


def _repeat(measure: Callable[[], float], rounds: int) -> Figure:
    return Figure(tuple(measure() for _ in range(rounds)))
