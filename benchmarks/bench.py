"""Measure the speed table: both sides in one run; exit code 1 when a limit is missed by more than its noise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cuda import measure_cuda
from disk import measure_disk
from full_build import measure_full_build
from jobs import measure_jobs
from judging import measure_entries, measure_judging
from measuring import Row
from results import describe_machine, format_table, write_results
from short import measure_builds, measure_help, measure_run, measure_runtime
from tracing import measure_tracing
from workbench import CONTAINERD, GRAPH_DRIVER, Workbench, why_not


def main() -> int:
    """Measure, write the results, say what was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-rounds", type=int, default=3, help="rounds of the full build")
    parser.add_argument("--containerd-rounds", type=int, default=2, help="the same on the containerd store; 0: none")
    parser.add_argument("--rounds", type=int, default=11, help="rounds of everything short")
    parser.add_argument(
        "--only", choices=("judging", "entries", "cuda"), action="append", help="measure this and write nothing"
    )
    parser.add_argument("--entries", type=int, default=20, help="how many entries are judged for their disk")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where the results go")
    chosen = parser.parse_args()
    if reason := why_not():
        print(f"bench: {reason}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    if chosen.only:
        with Workbench(GRAPH_DRIVER) as bench:
            machine = describe_machine(bench.engine)
            rows = _measure_only(bench, chosen.only, chosen.rounds, chosen.entries)
        print(format_table(machine, rows))
        return 0
    if chosen.containerd_rounds:
        with Workbench(CONTAINERD) as bench:
            print("  containerd image store", flush=True)
            rows += measure_full_build(bench, chosen.containerd_rounds, "containerd store")
    with Workbench(GRAPH_DRIVER) as bench:
        print("  graph-driver store", flush=True)
        machine = describe_machine(bench.engine)
        rows += _measure(bench, chosen.full_rounds, chosen.rounds, chosen.entries)
    write_results(chosen.out, machine, rows)
    print(format_table(machine, rows))
    missed = [row.what for row in rows if row.met is False]
    for what in missed:
        print(f"bench: missed: {what}", file=sys.stderr)
    return 1 if missed else 0


def _measure(bench: Workbench, full_rounds: int, rounds: int, entries: int) -> list[Row]:
    rows = measure_full_build(bench, full_rounds, "graph-driver store")
    bench.keep_last_cache("short")
    for measure in (measure_builds, measure_run, measure_help, measure_runtime, measure_jobs):
        print(f"  {measure.__name__}", flush=True)
        rows += measure(bench, rounds)
    # The disk before another image comes.
    rows += [*measure_disk(bench), *measure_tracing(bench, rounds)]
    print("  measure_judging", flush=True)
    return [*rows, *measure_judging(bench, rounds), *measure_entries(bench, entries), *measure_cuda(bench)]


def _measure_only(bench: Workbench, names: list[str], rounds: int, entries: int) -> list[Row]:
    rows: list[Row] = []
    if names != ["cuda"]:
        bench.copy_project("frameworks")
        bench.make_cache("short", bench.downloads, "blobs")
    if "judging" in names:
        rows += measure_judging(bench, rounds)
    if "entries" in names:
        rows += measure_entries(bench, entries)
    if "cuda" in names:
        rows += measure_cuda(bench)
    return rows


if __name__ == "__main__":
    sys.exit(main())
