"""The rows of the matrix in docs/backends.md: a script for each backend, run twice and once more with another seed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from .backend_venvs import (
    AESARA,
    CHAINERS,
    KERAS_2,
    OLD,
    PADDLE,
    SMALL,
    TENSORFLOW,
    TENSORFLOW_1,
    TORCH,
    Group,
    make_group_box,
)
from .conftest import SEED
from .pythons import REPOSITORY

PAGE = REPOSITORY / "docs" / "backends.md"
SCRIPTS = Path(__file__).parent / "matrix"
NOT_RUN = {"cupy": "needs an NVIDIA GPU"}
"""Backends that no test machine can compute with -> why."""
NO_ROW = {"hashing": "the same in every process", "inductor": "draws nothing", "forests": "draws from NumPy"}
_BEGIN, _END = "<!-- matrix: written by the tests -->\n", "<!-- end of the matrix -->\n"
_HEAD = (
    "| backend | version | Python | twice the same seed | another seed | two workers | left without a seed |\n"
    "|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Case:
    """One row: a backend's script in a group's environment; ``method`` is how its workers are started."""

    backend: str
    group: Group
    method: str = "fork"
    what: str = ""
    """What tells rows of one backend apart."""
    env: tuple[tuple[str, str], ...] = ()
    script: str = ""
    """The script's name, where it is not the backend's."""

    @property
    def name(self) -> str:
        return f"{self.backend} {self.what}".rstrip()


CASES = (
    Case("random", SMALL),
    Case("numpy", SMALL),
    Case("scipy", SMALL),
    Case("sklearn", SMALL),
    Case("numba", SMALL),
    Case("pytensor", SMALL),
    Case("pytensor", AESARA, what="as Aesara"),
    Case("gymnasium", SMALL),
    Case("xgboost", SMALL),
    Case("lightgbm", SMALL),
    Case("catboost", SMALL),
    Case("jax", SMALL, "spawn"),
    Case("keras", SMALL, "spawn", "on JAX", (("KERAS_BACKEND", "jax"),)),
    Case("keras", SMALL, "spawn", "on NumPy", (("KERAS_BACKEND", "numpy"),), "keras_predict"),
    Case("keras", SMALL, "spawn", "on OpenVINO", (("KERAS_BACKEND", "openvino"),), "keras_predict"),
    Case("torch", TORCH),
    Case("lightning", TORCH),
    Case("transformers", TORCH),
    Case("accelerate", TORCH),
    Case("keras", TORCH, "fork", "on PyTorch", (("KERAS_BACKEND", "torch"),)),
    Case("tensorflow", TENSORFLOW, "spawn"),
    Case("keras", TENSORFLOW, "spawn", "on TensorFlow", (("KERAS_BACKEND", "tensorflow"),)),
    Case("tensorflow", TENSORFLOW_1, "spawn", "1", script="tensorflow_1"),
    Case("keras", KERAS_2, "spawn", "2 on TensorFlow 1", (("KERAS_BACKEND", "tensorflow"),), "keras_2"),
    Case("chainer", OLD),
    *(Case("chainer", group, what=str(number)) for number, group in CHAINERS.items()),
    # Without a compiler: what it computes is the same, and its cache would be another in each run.
    Case("theano", OLD, env=(("THEANO_FLAGS", "cxx="),)),
    Case("mxnet", OLD, "spawn"),
    Case("paddle", PADDLE, "spawn"),
)


def run_case(case: Case, root: Path, work: Path) -> str:
    """Run a case and return its row."""
    first, version = _run(case, root, work / "first", SEED, case.method)
    second, _ = _run(case, root, work / "second", SEED, case.method)
    other, _ = _run(case, root, work / "other", SEED + 1)
    one, two = first["workers"]
    cells = [
        case.name,
        # The standard library's is the interpreter's, whose last part differs between machines; what follows a "+"
        # is the index's.
        "" if case.backend == "random" else version.split("+")[0],
        case.group.python,
        "same" if first == second else "DIFFERENT",
        "differs" if first["main"] != other["main"] else "THE SAME",
        f"differ ({case.method})" if first["main"] != one != two != first["main"] else "THE SAME",
        _judge_bare(first["bare"], second["bare"], other["bare"]),
    ]
    return "".join(f"| {cell} " for cell in cells) + "|"


def _judge_bare(first: object, second: object, other: object) -> str:
    if first is None:
        return "—"
    if first != second:
        return "random"
    return "constant" if first == other else "follows the run's seed"


def _run(case: Case, root: Path, work: Path, seed: int, *arguments: str):
    """Return what the script printed, and the version that the record has of the backend."""
    box = make_group_box(case.group, root, work, seed)
    box.env.update(case.env)
    done = box.run(str(box.python), str(SCRIPTS / f"run_{case.script or case.backend}.py"), *arguments)
    printed = json.loads(done.stdout.splitlines()[-1])
    (record,) = [one for one in box.records() if one["identity"] == [] and one["role"] in ("main", "subprocess")]
    assert record["warnings"] == []
    return printed, record["backends"][case.backend]["version"]


def read_rows() -> dict[str, str]:
    """Return the rows that the page has now, by their first cells."""
    text = PAGE.read_text("utf-8")
    region = text.split(_BEGIN)[1].split(_END)[0]
    return {row.split("|")[1].strip(): row for row in region.splitlines()[2:]}


def write_rows(rows: dict[str, str]) -> None:
    """Put these rows into the page, where they are not there yet in the order of the cases."""
    order = [case.name for case in CASES] + list(NOT_RUN)
    merged = {**read_rows(), **rows}
    region = _HEAD + "".join(f"{merged[name]}\n" for name in order if name in merged)
    text = re.sub(f"{_BEGIN}.*{_END}", lambda _: _BEGIN + region + _END, PAGE.read_text("utf-8"), flags=re.DOTALL)
    PAGE.write_text(text, "utf-8", newline="\n")


def make_not_run_row(backend: str) -> str:
    """Return the row of a backend that cannot be run."""
    return f"| {backend} | | | not run: {NOT_RUN[backend]} | not run | not run | not run |"
