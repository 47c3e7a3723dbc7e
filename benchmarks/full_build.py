"""The full build: torch and TensorFlow from downloaded wheels, nothing cached; against BuildKit with uv and pip."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from measuring import Figure, Row, make_ratio
from workbench import REPOSITORY, Workbench

OURS, UV, UV_PLAIN, PIP = "reprobox", "uv --compile-bytecode", "uv without bytecode", "pip"
_TAG = "reprobox/bench-frameworks:latest"


def measure_full_build(bench: Workbench, rounds: int, store: str) -> list[Row]:
    """Measure all four sides, in turn, ``rounds`` times; ``store`` names the engine's."""
    project, base = bench.copy_project("frameworks"), bench.copy_project("base")
    context = bench.make_context("frameworks")
    template = bench.make_cache("template", bench.downloads, "blobs")
    # Both sides stand on the same base, which both have.
    bench.reprobox("build", base, cache=template)
    sides: dict[str, Callable[[], float]] = {
        OURS: lambda: _build_ours(bench, project, template),
        UV: lambda: _build_theirs(bench, context, "uv", "--compile-bytecode"),
        UV_PLAIN: lambda: _build_theirs(bench, context, "uv", ""),
        PIP: lambda: _build_theirs(bench, context, "pip", ""),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, build in sides.items():
            with bench.new_engine():
                bench.reprobox("build", base, cache=template)
                os.sync()  # what the one before has not written yet is not this one's to wait for
                seconds[name].append(build())
            print(f"  {name}: {seconds[name][-1]:.1f} s", flush=True)
    return _make_rows({name: Figure(tuple(values)) for name, values in seconds.items()}, store)


def _make_rows(figures: dict[str, Figure], store: str) -> list[Row]:
    ours, uv, plain, pip = (figures[name] for name in (OURS, UV, UV_PLAIN, PIP))
    what = f"full build, {store} / BuildKit with"
    return [
        Row(
            f"{what} `uv pip install --compile-bytecode`",
            make_ratio(ours, uv),
            "x",
            1.0,
            "like for like: reprobox's image holds the bytecode too",
            {OURS: ours, UV: uv},
        ),
        Row(
            f"{what} `pip install`",
            make_ratio(ours, pip),
            "x",
            0.5,
            "pip compiles bytecode by default",
            {OURS: ours, PIP: pip},
        ),
        Row(
            f"{what} `uv pip install`",
            make_ratio(ours, plain),
            "x",
            None,
            "not like for like: uv leaves the bytecode out, and every start of a container then compiles again",
            {OURS: ours, UV_PLAIN: plain},
        ),
    ]


def _build_ours(bench: Workbench, project: Path, template: Path) -> float:
    shutil.rmtree(bench.folder / "round", ignore_errors=True)
    cache = bench.make_cache("round", template, "blobs", "layers")
    os.sync()
    return bench.reprobox("build", project, cache=cache)[0]


def _build_theirs(bench: Workbench, context: Path, tool: str, flags: str) -> float:
    dockerfile = REPOSITORY / "benchmarks" / "buildkit" / f"{tool}.Dockerfile"
    argv = ["--progress=plain", "-f", dockerfile, "-t", _TAG, "--build-arg", f"FLAGS={flags}", context]
    return bench.docker("build", *argv)[0]
