"""How much memory layers take: a wheel may be of any size, a machine may not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

import pytest
from made_wheels import make_wheel

MOST = 150_000_000
"""The promise is 300 MB for the whole command, whose own modules and downloads come on top."""
MB = 1 << 20
MAKER = """
import json, sys
from pathlib import Path
from reprobox.layers.bytecode import ContainerCompiler
from reprobox.layers.store import LayerStore
from reprobox.layers.wheel import make_wheel_layers
from reprobox.lock import PythonTarget, Wheel
from tests.layers.process_runner import ProcessRunner
root, groups = Path(sys.argv[1]), json.loads(sys.argv[2])
python = PythonTarget("3.11.2", sys.executable, "2.36")
groups = [[(Wheel(*wheel), Path(path)) for wheel, path in group] for group in groups]
with ContainerCompiler(ProcessRunner(), "image", sys.executable, "test") as compiler:
    layers = make_wheel_layers(groups, python, compiler, LayerStore(root), workers=4)
    compiler.finish()
line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps([1024 * int(line.split()[1]), sum(layer.size for layer in layers)]))
"""


def make_layers(root, *groups):
    """Have a process make the layers; return its peak in bytes (not that of its own processes), and their size."""
    given = [
        [[[wheel.name, wheel.version, wheel.filename, wheel.sha256, wheel.size], str(path)]] for wheel, path in groups
    ]
    done = subprocess.run(
        [sys.executable, "-c", MAKER, str(root), json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_source(number):
    """Return a megabyte of Python whose bytecode is as large."""
    return f'"""{number}' + "a line of a docstring\n" * (MB // 22) + '"""\n'


@pytest.fixture
def cache(tmp_path):
    """A folder for large layers, which does not stay as long as pytest's others."""
    yield tmp_path / "cache"
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux keeps a process's peak there")
def test_layers_of_any_size_take_little_memory(tmp_path, cache):
    wheels = [
        make_wheel(tmp_path, {f"{name}/m{number}.py": make_source(number) for number in range(100)}, name)
        for name in ("one", "two")
    ]
    large = {"three/lib.so": bytes(200 * MB), "three-1.0.data/scripts/tool": b"\x7fELF" + bytes(200 * MB)}
    peak, size = make_layers(cache, *wheels, make_wheel(tmp_path, large, "three"))
    assert size > 780 * MB
    assert peak < MOST
