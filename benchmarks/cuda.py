"""A torch image with CUDA, some three gigabytes of wheels: how long its build takes, in what memory, on what disk.

It is run once, without a GPU: torch must have the CUDA and the cuDNN that the lock says.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from disk import measure_tree
from measuring import Figure, Row, time_process
from workbench import Workbench, parse_json

from reprobox.gpus.loaded import name_cudnn

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
        _, output_of_run = bench.reprobox("run", "--json", project, cache=cache)
    seen = json.loads((Path(parse_json(output_of_run)["run_dir"]) / "output" / "versions.json").read_text())
    check_versions(seen, (project / "spec.lock").read_text())
    peak = next(int(line.split()[1]) for line in output.splitlines() if line.startswith("peak "))
    note = f"{size / 1e9:.1f} GB in {len(layers)} layers"
    return [
        Row("build of a torch image with CUDA", Figure((seconds,)), "s", None, f"wheels downloaded; {note}"),
        Row("peak memory of that build's command", Figure((peak / 1e6,)), "MB", 300),
        Row("disk that the image takes / its layers", Figure((used / size,)), "x", 1.05, note),
    ]


def check_versions(seen: dict[str, Any], lock: str) -> None:
    """Raise where what torch says it has is not what the lock pins."""
    wheels = {wheel["name"]: wheel["version"] for wheel in tomllib.loads(lock)["wheel"]}
    cuda = next(version for name, version in wheels.items() if name.startswith("nvidia-cuda-runtime"))
    cudnn = next(version for name, version in wheels.items() if name.startswith("nvidia-cudnn"))
    said = (str(seen["cuda"]), name_cudnn(int(seen["cudnn"] or 0)))
    locked = (".".join(cuda.split(".")[:2]), ".".join(cudnn.split(".")[:3]))
    if said != locked:
        raise RuntimeError(f"torch says that its CUDA and cuDNN are {said}, and the lock has {locked}")
