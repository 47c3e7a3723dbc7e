"""Groups of backends that share an image, the program that runs them there, and the table of what came of it."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
MATRIX = REPOSITORY / "tests" / "runtime" / "matrix"
PAGE = REPOSITORY / "docs" / "backends.md"
SCRIPTS = {
    **dict.fromkeys(("tensorflow in sessions of v1", "tensorflow 1"), "tensorflow_1"),
    **dict.fromkeys(("keras 2 on TensorFlow", "keras 2 on TensorFlow 1"), "keras_2"),
    **dict.fromkeys(("keras on NumPy", "keras on OpenVINO"), "keras_predict"),
}
"""Of those that are not called as the first word of their row."""
_BEGIN, _END = "<!-- containers: written by the tests -->\n", "<!-- end of the containers -->\n"
_HEAD = "| backend | version | image | twice the same seed | another seed |\n|---|---|---|---|---|\n"

DRIVER = '''\
"""Run every script of the matrix in a process of its own, two at a time; how they are started is always the same."""

import json
import os
import subprocess
import sys
import time


def start(script, variables):
    command = [sys.executable, "run_%s.py" % script]
    return subprocess.Popen(command, env=dict(os.environ, **variables), stdout=subprocess.PIPE)


def finish(process):
    lines = process.communicate()[0].decode().splitlines()
    assert process.returncode == 0, process.args
    return json.loads(lines[-1])


with open("scripts.json") as file:
    scripts = sorted(json.load(file).items())
printed, begun = {}, time.monotonic()
for i in range(0, len(scripts), 2):
    started = [(name, start(script, variables)) for name, (script, variables) in scripts[i : i + 2]]
    printed.update((name, finish(process)) for name, process in started)
    print(scripts[i][0], "%.1f s" % (time.monotonic() - begun), flush=True)
with open("/output/printed.json", "w") as file:
    json.dump(printed, file)
# What a sweep compares.
print("scripts=%d" % len(printed))
'''


@dataclass(frozen=True)
class Image:
    """A group of backends in one image: its packages, and the matrix's scripts with their variables."""

    name: str
    where: str
    lines: tuple[str, ...]
    scripts: dict[str, dict[str, str]]
    wheels: tuple[str, ...] = ()
    """Those that no index has: pip builds them here, and the image takes them from a folder."""
    python: str = ""
    """One that no Debian release brings: this machine's is put into a base of its own."""

    def __hash__(self) -> int:
        return hash(self.name)

    def fill(self, folder: Path) -> None:
        """Put the scripts into a project's folder; its command runs the driver."""
        chosen = {name: (SCRIPTS.get(name, name.split(" ")[0]), variables) for name, variables in self.scripts.items()}
        for script, _ in chosen.values():
            shutil.copyfile(MATRIX / f"run_{script}.py", folder / f"run_{script}.py")
        shutil.copyfile(MATRIX / "harness.py", folder / "harness.py")
        (folder / "scripts.json").write_text(json.dumps(chosen))

    def add_wheels(self, folder: Path) -> None:
        """Build the wheels into a folder, which the project's spec then names."""
        constraints = folder.parent / "constraints.txt"
        constraints.write_text("setuptools==59.8.0\nwheel==0.37.1\n")
        environ = {**os.environ, "PIP_CONSTRAINT": str(constraints), "PIP_BUILD_CONSTRAINT": str(constraints)}
        argv = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, *self.wheels]
        subprocess.run(argv, check=True, env=environ, timeout=600)
        with (folder.parent / "spec.yaml").open("a") as spec:
            spec.write(f"indexes: ['{folder.as_uri()}']\nsource: {{exclude: [{folder.name}]}}\n")

    def add_python(self, folder: Path, debian: Path, python: Path) -> None:
        """Make a base of Debian's and an interpreter, which the project's spec then names."""
        archive = folder / "root.tar"
        shutil.copyfile(debian, archive)
        library = f"lib/libpython{self.python}m.so.1.0"
        with tarfile.open(archive, "a") as tar:
            for name in ("bin", "lib", "include"):
                tar.add(python / name, f"usr/local/{name}", filter=self._choose)
            if (python / library).exists():  # where the loader looks without having been told
                tar.add(python / library, f"usr/lib/{platform.machine()}-linux-gnu/{Path(library).name}")
        with archive.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with (folder / "spec.yaml").open("a") as spec:
            spec.write(f'python: "{self.python}"\nbase: {{archive: root.tar, sha256: {sha256}}}\n')

    def _choose(self, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        passed = ("__pycache__", f"python{self.python}/test", "site-packages/", ".a")
        if any(part in member.name if part != ".a" else member.name.endswith(part) for part in passed):
            return None
        member.uid = member.gid = 0
        return member


SMALL = Image(
    "backends-small",
    "Debian 12, Python 3.11",
    (
        "packages: [numpy==2.4.6, scipy==1.17.1, scikit-learn==1.9.1, numba==0.65.1, pytensor==3.0.7,",
        "  gymnasium==1.4.0, xgboost-cpu==3.2.0, lightgbm==4.7.0, catboost==1.2.10, jax==0.10.2, keras==3.15.1,",
        "  openvino==2026.4.1]",
    ),
    {
        **{name: {} for name in ("random", "numpy", "scipy", "sklearn", "numba", "pytensor", "gymnasium")},
        **{name: {} for name in ("xgboost", "lightgbm", "catboost", "jax")},
        "keras on JAX": {"KERAS_BACKEND": "jax"},
        "keras on NumPy": {"KERAS_BACKEND": "numpy"},
        "keras on OpenVINO": {"KERAS_BACKEND": "openvino"},
    },
)
TORCH = Image(
    "backends-torch",
    "Debian 12, Python 3.11",
    (
        "frameworks: {torch: 2.13.0}",
        "packages: [numpy==2.4.6, keras==3.15.1, lightning==2.6.6, transformers==5.18.0, accelerate==1.15.0]",
    ),
    {
        **{name: {} for name in ("torch", "lightning", "transformers", "accelerate")},
        "keras on PyTorch": {"KERAS_BACKEND": "torch"},
    },
)
TENSORFLOW = Image(
    "backends-tensorflow",
    "Debian 12, Python 3.11",
    ("packages: [tensorflow-cpu==2.21.0]",),
    {"tensorflow": {}, "tensorflow in sessions of v1": {}, "keras on TensorFlow": {"KERAS_BACKEND": "tensorflow"}},
)
OLD = Image(
    "backends-old",
    "Debian 11, Python 3.9",
    (
        "base: debian:11",
        "packages:",
        "  list: [numpy==1.19.5, scipy==1.5.4, chainer==7.8.1, theano==1.0.5, mxnet==1.9.1, protobuf==3.20.3,",
        "    setuptools==57.5.0, wheel==0.37.1]",
        "  from_source: [chainer, theano]",
        "system: [libquadmath0]",
    ),
    {"chainer": {}, "theano": {"THEANO_FLAGS": "cxx="}, "mxnet": {}},
)
PADDLE = Image(
    "backends-paddle",
    "Debian 12, Python 3.11",
    ("packages: [paddlepaddle==3.3.1, setuptools==80.9.0]",),
    {"paddle": {}},
)
KERAS_2 = Image(
    "backends-keras-2",
    "Debian 11, Python 3.9",
    (
        "base: debian:11",
        "frameworks: {tensorflow-cpu: 2.8.4, keras: 2.8.0, numpy: 1.22.4}",
    ),
    {"keras 2 on TensorFlow": {}},
)
AESARA = Image(
    "backends-aesara",
    "Debian 12, Python 3.11",
    ("packages: [aesara==2.9.4, numpy==1.26.4, scipy==1.11.4, setuptools==59.8.0]",),
    {"pytensor as Aesara": {"AESARA_FLAGS": "cxx="}},
)
CHAINERS = tuple(
    Image(
        f"backends-chainer-{version[0]}",
        "Debian 11, Python 3.9",
        (
            "base: debian:11",
            "packages:",
            f"  list: [numpy==1.19.5, chainer=={version}, protobuf==3.7.1, typing_extensions==4.7.1,",
            "    setuptools==57.5.0, wheel==0.37.1]",
            *(() if version[0] in "234" else ("  from_source: [chainer]",)),
        ),
        {f"chainer {version[0]}": {}},
        # These archives say that they need CuPy, as whoever packed them had it: what is built of them does not.
        (f"chainer=={version}",) if version[0] in "234" else (),
    )
    # Not 6.7.0: what it needs, typing_extensions 3.6.6 at the newest, ends with an error on Python 3.9.
    for version in ("1.24.0", "2.1.0", "3.5.0", "4.5.0", "5.4.0", "6.0.0")
)
_BUILDS = "setuptools==59.6.0, wheel==0.37.1, protobuf==3.19.6"
TENSORFLOW_1 = Image(
    "backends-tensorflow-1",
    "Debian 12 and a Python 3.6 beside its own",
    (
        "packages:",
        f"  list: [tensorflow==1.15.5, numpy==1.18.5, gast==0.2.2, termcolor==1.1.0, {_BUILDS}]",
        "  from_source: [gast, termcolor]",
    ),
    {"tensorflow 1": {}},
    python="3.6",
)
KERAS_2_ON_1 = Image(
    "backends-keras-2-tensorflow-1",
    "Debian 12 and a Python 3.6 beside its own",
    (
        "packages:",
        "  list: [tensorflow==1.1.0, keras==2.0.3, theano==0.9.0, numpy==1.16.6, scipy==1.5.4, h5py==2.10.0,",
        f"    {_BUILDS}]",
        "  from_source: [keras, theano]",
    ),
    {"keras 2 on TensorFlow 1": {"KERAS_BACKEND": "tensorflow"}},
    python="3.6",
)
IMAGES = (SMALL, TORCH, TENSORFLOW, OLD, PADDLE, KERAS_2, AESARA, *CHAINERS, TENSORFLOW_1, KERAS_2_ON_1)


def read_rows() -> dict[str, str]:
    """Return the rows that the page has now, by their first cells."""
    region = PAGE.read_text("utf-8").split(_BEGIN)[1].split(_END)[0]
    return {row.split("|")[1].strip(): row for row in region.splitlines()[2:]}


def write_rows(rows: dict[str, str]) -> None:
    """Put these rows into the page, in the order of the images and their scripts."""
    merged = {**read_rows(), **rows}
    names = [name for image in IMAGES for name in image.scripts if name in merged]
    region = _BEGIN + _HEAD + "".join(f"{merged[name]}\n" for name in names) + _END
    text = re.sub(f"{_BEGIN}.*{_END}", lambda _: region, PAGE.read_text("utf-8"), flags=re.DOTALL)
    PAGE.write_text(text, "utf-8", newline="\n")
