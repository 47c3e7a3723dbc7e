"""The engine's disk: several images that share their wheels against the wheels alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from measuring import Figure, Row
from short import SMALL
from workbench import Workbench, parse_json

_IMAGES = 3
_OTHERS = ("Debian ", "virtual environment", "runtime", "source")


def measure_disk(bench: Workbench) -> list[Row]:
    """Build variants of the large image, beside the one that is there, and compare sizes on the engine's disk."""
    bench.docker("image", "rm", "-f", SMALL)  # an image of its own, with wheels of its own
    bench.docker("image", "prune", "-f")
    cache = bench.folder / "short"
    first = bench.folder / "projects" / "frameworks"
    layers: dict[str, tuple[str, int]] = {}
    for number in range(_IMAGES):
        project = first
        if number:
            project = bench.folder / "projects" / f"variant-{number}"
            shutil.copytree(first, project, ignore=shutil.ignore_patterns(".reprobox"))
            spec = project / "spec.yaml"
            text = spec.read_text().replace("bench-frameworks", f"bench-variant-{number}")
            spec.write_text(text.replace("seed: 32", f"seed: {32 + number}"))
            (project / "train.py").write_text(f"print({number})\n")
        built = parse_json(bench.reprobox("build", "--json", project, cache=cache)[1])
        layers |= {layer["digest"]: (layer["what"], layer["size"]) for layer in built["layers"]}
    wheels = sum(size for what, size in layers.values() if not what.startswith(_OTHERS))
    base = sum(size for what, size in layers.values() if what.startswith("Debian"))
    used = measure_tree(bench.data_root / "overlay2")
    note = f"{_IMAGES} images; the engine's layer folder without the base, against the installed wheels of one"
    figure = Figure(((used - base) / wheels,))
    return [Row("disk for images that share their wheels / the wheels", figure, "x", 1.05, note)]


def measure_tree(folder: Path) -> int:
    """Return the bytes of all files, as `du --apparent-size` counts them; links within the engine's folder once."""
    seen: set[int] = set()
    total = 0
    for path in folder.rglob("*"):
        status = path.lstat()
        if path.parts[-2:] != ("l",) and status.st_ino not in seen and path.is_file() and not path.is_symlink():
            seen.add(status.st_ino)
            total += status.st_size
    return total
