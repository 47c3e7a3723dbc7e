"""Runs in the container: time a script that imports NumPy, with the runtime's hook and in a venv without it."""

import json
import os
import shutil
import subprocess
import sys
import time

ROUNDS = int(sys.argv[1])
CONTROL = "/tmp/control"
SCRIPT = ["-c", "import numpy"]


def time_process(*argv: str) -> float:
    environ = {**os.environ, "REPROBOX_RECORD_DIR": "/tmp/record"}
    started = time.perf_counter()
    subprocess.run(argv, check=True, env=environ)
    return time.perf_counter() - started


def main() -> None:
    os.mkdir("/tmp/record")
    shutil.copytree("/opt/venv", CONTROL, symlinks=True)
    packages = next(path for path, _, names in os.walk(CONTROL) if "reprobox.pth" in names)
    os.remove(os.path.join(packages, "reprobox.pth"))
    sides = {
        "with": ["/opt/venv/bin/python", *SCRIPT],
        "without": [f"{CONTROL}/bin/python", *SCRIPT],
        "entrypoint": ["/opt/venv/bin/python", "-I", "/opt/reprobox/entrypoint.py", "python", *SCRIPT],
    }
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS + 2):
        for name, argv in sides.items():
            seconds = time_process(*argv)
            if number > 1:  # the first rounds read from the disk
                measured[name].append(round(seconds, 5))
    print(json.dumps(measured))


main()
