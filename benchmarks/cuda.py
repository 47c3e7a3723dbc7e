"""A torch image with CUDA, some three gigabytes of wheels: how long its build takes, in what memory, on what disk."""

from __future__ import annotations

import sys

from disk import measure_tree
from measuring import Figure, Row, time_process
from workbench import Workbench, parse_json

_PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


def measure_cuda(bench: Workbench) -> list[Row]:
    """Build it once, with every wheel downloaded and nothing else there, on an engine that holds nothing."""
    project = bench.copy_project("cuda")
    cache = bench.make_cache("cuda", bench.downloads, "blobs")
    with bench.new_engine() as root:
        environ = {**bench.environ, "REPROBOX_CACHE": str(cache)}
        argv = [sys.executable, "-c", _PEAK, bench.program, "build", "--json", project]
        seconds, output = time_process(argv, environ)
        layers = parse_json(output)["layers"]
        size = sum(layer["size"] for layer in layers)
        used = measure_tree(root / "overlay2")
    peak = next(int(line.split()[1]) for line in output.splitlines() if line.startswith("peak "))
    note = f"{size / 1e9:.1f} GB in {len(layers)} layers"
    return [
        Row("build of a torch image with CUDA", Figure((seconds,)), "s", None, f"wheels downloaded; {note}"),
        Row("peak memory of that build's command", Figure((peak / 1e6,)), "MB", 300),
        Row("disk that the image takes / its layers", Figure((used / size,)), "x", 1.05, note),
    ]
