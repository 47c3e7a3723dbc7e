"""What holding the libraries to one instruction set costs: the same computations under each pin, taken in turns.

``python benchmarks/portable.py PYTHON`` where PYTHON is the interpreter of a virtual environment with torch and numpy;
with ``--update`` the table in docs/portable.md becomes the one that was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path

from reprobox.host import read_cpu
from reprobox.plan import decide_variables
from reprobox.spec.load import parse_spec

PAGE = Path(__file__).parents[1] / "docs" / "portable.md"
BEGIN, END = "<!-- cost: written by benchmarks/portable.py -->\n", "<!-- end of cost -->\n"
LEVELS = {
    "bitwise": "bitwise",
    "avx2-intel": "{level: portable, cpu: avx2-intel}",
    "avx2": "{level: portable, cpu: avx2}",
    "baseline": "{level: portable, cpu: baseline}",
}
WORK = """
import json, time
import numpy as np, torch
from torch import nn

def measure(work, rounds):
    work()
    start = time.perf_counter()
    for _ in range(rounds):
        work()
    return (time.perf_counter() - start) / rounds

torch.set_num_threads(1)
torch.manual_seed(32)
torch.utils.deterministic.fill_uninitialized_memory = False
torch.use_deterministic_algorithms(True)
network = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(network.parameters())
x, y = torch.rand(128, 1, 28, 28), torch.randint(0, 10, (128,))

def step():
    optimizer.zero_grad()
    nn.functional.cross_entropy(network(x), y).backward()
    optimizer.step()

square, values = torch.rand(1024, 1024), np.random.rand(1_000_000)
double = np.random.rand(700, 700)
print(json.dumps({
    "PyTorch: a step of a convolutional network": measure(step, 10),
    "PyTorch: product of 1024 × 1024": measure(lambda: square @ square, 10),
    "NumPy: product of 700 × 700, double precision": measure(lambda: double @ double, 10),
    "NumPy: exp of a million": measure(lambda: np.exp(values), 10),
}))
"""


def list_versions(folder: Path) -> dict[str, str]:
    """Return the packages of a site-packages folder, and the C library, with their versions."""
    named = [path.name.removesuffix(".dist-info").rpartition("-") for path in folder.glob("*.dist-info")]
    glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "glibc 0").split()[1]
    return {**{name.lower().replace("_", "-"): version for name, _, version in named}, "glibc": glibc}


def measure(python: Path, folder: Path, level: str) -> dict[str, float]:
    """Run the work once at a level; seconds by name."""
    spec = parse_spec(f"reprobox: 1\nname: x\nseed: 32\ncommand: x\ndeterminism: {level}\n", "spec.yaml", None)
    environ = {"PATH": os.defpath, "PYTHONPATH": str(folder), **decide_variables(spec, list_versions(folder))}
    done = subprocess.run([python, "-S", "-c", WORK], env=environ, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print a table of medians and of their ratios to ``bitwise``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--update", action="store_true", help="write the table into docs/portable.md")
    options = parser.parse_args()
    (folder,) = options.python.parent.parent.glob("lib/python3.*/site-packages")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in LEVELS}
    for _ in range(options.rounds):
        for name, level in LEVELS.items():
            found[name].append(measure(options.python, folder, level))
    table = format_table(found, options.rounds, list_versions(folder))
    print(table)
    if options.update:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}", "utf-8")


def format_table(found: dict[str, list[dict[str, float]]], rounds: int, versions: dict[str, str]) -> str:
    """Return the medians in Markdown, with the machine that they are of."""
    heads = " | ".join(f"`{name}`" for name in LEVELS)
    lines = [
        f"{read_cpu(Path('/proc/cpuinfo').read_text())[0]}, one thread; torch {versions['torch']}, NumPy"
        f" {versions['numpy']}; milliseconds, the median of {rounds} processes, and its ratio to `bitwise`.\n",
        f"| | {heads} |\n|---|{'---:|' * len(LEVELS)}",
    ]
    for work in found["bitwise"][0]:
        medians = [statistics.median(one[work] for one in found[name]) for name in LEVELS]
        cells = [f"{1000 * value:.3g} ({value / medians[0]:.2f}×)" for value in medians]
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
