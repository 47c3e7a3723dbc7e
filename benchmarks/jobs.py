"""Two runs of a verification at once against one after the other: programs with one thread, on two cores."""

from __future__ import annotations

import os
import shutil

from measuring import Figure, Row, make_ratio
from workbench import Workbench, parse_json

_RUNS = 4
_ROUNDS = 3
_SCRIPT = '''"""A few seconds of one thread's work."""

total = 0
for number in range(40_000_000):
    total = (total * 31 + number) % 1_000_003
with open("/output/total.txt", "w") as output:
    output.write(f"{total}\\n")
'''


def measure_jobs(bench: Workbench, rounds: int) -> list[Row]:
    """Verify the same program with one job and with two, in turn; both find it identical."""
    if len(os.sched_getaffinity(0)) < 2:
        return []
    small, project = bench.folder / "projects" / "small", bench.folder / "projects" / "jobs"
    shutil.copytree(small, project, ignore=shutil.ignore_patterns(".reprobox"))
    (project / "train.py").write_text(_SCRIPT)
    cache = bench.folder / "short"
    bench.reprobox("build", project, cache=cache)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for number in range(min(rounds, _ROUNDS)):
        for jobs in (1, 2) if number % 2 else (2, 1):
            argv = ["verify", "--json", "--runs", str(_RUNS), "--jobs", str(jobs), project]
            took, output = bench.reprobox(*argv, cache=cache)
            if parse_json(output)["verdict"] != "IDENTICAL":
                raise RuntimeError(f"not identical: {output}")
            seconds[jobs].append(took)
    one, other = Figure(tuple(seconds[2])), Figure(tuple(seconds[1]))
    note = f"{_RUNS} runs of a program with one thread, whole command"
    return [Row("`verify --jobs 2` over `--jobs 1`", make_ratio(one, other), "x", 0.6, note, {"2": one, "1": other})]
