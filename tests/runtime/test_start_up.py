"""What the runtime adds to the start of every interpreter: little code of its own, and little time."""

import json
import resource
import shutil
import statistics
import subprocess

import pytest

from .conftest import FOUND

LIST_OWN = """
import json, os, sys
own = {name: module.__file__ for name, module in sys.modules.items() if name.startswith("reprobox_runtime")}
print(json.dumps({name: os.path.getsize(path) for name, path in own.items()}))
"""
MOST_CODE = 90_000
"""Bytes of source that the modules of a start may have together; what has to be more is better loaded later."""
MOST_SECONDS = 0.06
"""Twice what the benchmarks allow on a machine that does nothing else."""
PAIRS, TRIES = 9, 3


def test_little_of_the_runtime_is_loaded_and_no_backend(box):
    (line,) = box.script(LIST_OWN)
    sizes = json.loads(line)
    assert sum(sizes.values()) < MOST_CODE, sizes
    assert [name for name in sizes if name.startswith("reprobox_runtime.backends.")] == [
        "reprobox_runtime.backends.hashing"
    ]


@pytest.mark.network
def test_a_program_that_imports_numpy_starts_nearly_as_soon_as_without_it(framework_box, tmp_path):
    box = framework_box(FOUND[0], "numpy")
    (line,) = box.script("import numpy, os; print(os.path.dirname(os.path.dirname(numpy.__file__)))")
    bare = tmp_path / "packages"
    shutil.copytree(line, bare, ignore=shutil.ignore_patterns("reprobox.pth"))
    seconds = []
    # Whatever else the machine does makes it longer, and never shorter.
    while len(seconds) < TRIES and min(seconds, default=1) > MOST_SECONDS:
        seconds.append(_measure(box, bare))
    assert min(seconds) <= MOST_SECONDS, seconds
    assert box.records()[-1]["finished"]


def _measure(box, bare):
    """Return how much longer it takes with the runtime: the median of pairs; what ``site`` takes is in it too."""
    without = ["-S", "-c", f"import sys; sys.path.append({str(bare)!r}); import numpy"]
    pairs = [(_time(box, "-c", "import numpy"), _time(box, *without)) for _ in range(PAIRS)]
    return statistics.median(hooked - plain for hooked, plain in pairs)


def _time(box, *arguments):
    """Return the processor's time that it takes: what else the machine does has less of a part in it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([box.python, *arguments], cwd=box.work, env=box.environment(), check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
