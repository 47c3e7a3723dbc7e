"""How much memory a bundle takes: it may be of any size, and the machine of whoever packs or judges it may not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIZE = 400 * 2**20
MOST = 150_000_000
"""Bytes; the modules that are imported are half of it."""
PEAK = """
line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps(1024 * int(line.split()[1])))
"""
EXPORT = """
import json, os, sys, tarfile
from pathlib import Path
sys.path.insert(0, "tests/unit")
sys.path.insert(0, "tests")
from made_bundles import make_bundle
from reprobox.bundle.packing import Compression
class Noise:
    def __init__(self, size):
        self.left, self.block = size, os.urandom(2**20)
    def read(self, size):
        size = min(size, self.left, 2**20)
        self.left -= size
        return self.block[:size]
def write_base(out):
    entry = tarfile.TarInfo("bin/sh")
    entry.size = int(sys.argv[2])
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(entry, Noise(entry.size))
make_bundle(Path(sys.argv[1]), write_base=write_base, compression=Compression(sys.argv[3]))
"""
READ = """
import json, sys
from pathlib import Path
from reprobox.bundle.read import BundleLayers, extract_files, read_heading
path, folder = Path(sys.argv[1], "tiny.reprobox"), Path(sys.argv[1], "unpacked")
folder.mkdir()
heading = read_heading(path)
extract_files(path, heading, folder)
layers = BundleLayers(path, heading.manifest)
from reprobox.layers.model import Layer
layers.verify(Layer(one.diff_id, one.size, one.what, Path(), cached=True) for one in heading.manifest.layers)
"""


def measure(code, *arguments):
    """Return the peak of a process that runs this, in bytes."""
    argv = [sys.executable, "-c", code + PEAK, *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux keeps a process's peak there")
@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_bundle_of_any_size_is_written_checked_and_read_in_little_memory(tmp_path, compression):
    assert measure(EXPORT, tmp_path, SIZE, compression) < MOST
    assert (tmp_path / "tiny.reprobox").stat().st_size > (SIZE if compression == "none" else 0)
    assert measure(READ, tmp_path) < MOST
    for path in tmp_path.rglob("*"):  # pytest would keep it
        if path.is_file() and path.stat().st_size > 2**20:
            path.unlink()
