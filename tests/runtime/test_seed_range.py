"""Each backend takes the seeds of its range unchanged: no two are the same to it; what is beyond is refused or wraps.

``reprobox/spec/backends.toml`` names the ranges. A backend with a global seed draws, seeded by the runtime, what
its own call with the run's seed gives.
"""

import json
import tomllib
from dataclasses import dataclass

import pytest

from reprobox.spec.model import SAFE_SEED_MAX, WIDE_SEED_MAX

from .backend_venvs import CHAINERS, OLD, PADDLE, SMALL, TENSORFLOW, TENSORFLOW_1, TORCH, Group, make_group_box
from .pythons import REPOSITORY

pytestmark = pytest.mark.network

TABLE = tomllib.loads((REPOSITORY / "reprobox" / "spec" / "backends.toml").read_text("utf-8"))
CODE = """
import json
IMPORTS
first = DRAW if IS_GLOBAL else None
def take(number):
    global state
    SEED
    return DRAW
taken = [take(number) for number in NUMBERS]
try:
    beyond = take(BEYOND)
except Exception as error:
    beyond = type(error).__name__
print(json.dumps([first, taken, beyond]))
"""


@dataclass(frozen=True)
class Case:
    """A backend: what draws from it, and what seeds it with ``number``, through ``state`` where each draw takes it."""

    name: str
    group: Group
    imports: str
    seed: str
    draw: str
    backend: str = ""
    """Its name in the record, where it has a global seed."""
    package: str = ""
    """Its name in the table, where it is another than its own."""

    @property
    def ends(self) -> tuple[int, int]:
        """The smallest and the largest seed."""
        entry = TABLE.get(self.package or self.name, {})
        return entry.get("min_seed", 0), entry.get("max_seed", WIDE_SEED_MAX)


_FIT_XGBOOST = (
    "XGBRegressor(n_estimators=5, subsample=0.5, random_state=state).fit(data, data.sum(1)).predict(data).tolist()"
)
_FIT_LIGHTGBM = (
    "LGBMRegressor(n_estimators=5, subsample=0.5, subsample_freq=1, verbose=-1, random_state=state)"
    ".fit(data, data.sum(1)).predict(data).tolist()"
)
_FIT_CATBOOST = (
    "CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False, random_seed=state)"
    ".fit(data, data.sum(1)).predict(data).tolist()"
)
_DATA = "import numpy; data = numpy.sin(numpy.arange(600.0)).reshape(200, 3)"
_NUMBA = """
import random
import numba, numpy
@numba.njit
def seed_compiled(number):
    numpy.random.seed(number)
    random.seed(number)
@numba.njit
def draw_compiled():
    return numpy.random.rand(), numpy.random.rand(), random.random()
"""
_LINEAR = "chainer.links.Linear(3, 2).W.data.ravel().tolist()"

OFTEN = (
    Case("random", SMALL, "import random", "random.seed(number)", "[random.random() for _ in '123']", "random"),
    Case("numpy", SMALL, "import numpy", "numpy.random.seed(number)", "numpy.random.rand(3).tolist()", "numpy"),
)
RARELY = (
    Case("torch", TORCH, "import torch", "torch.manual_seed(number)", "torch.rand(3).tolist()", "torch"),
    Case("numba", SMALL, _NUMBA, "seed_compiled(number)", "list(draw_compiled())", "numba"),
    Case(
        "tensorflow",
        TENSORFLOW,
        "import tensorflow as tf",
        "tf.random.set_seed(number)",
        # In a function's graph the range is narrower than outside it.
        "[one.numpy().tolist() for one in (tf.random.uniform((3,)), tf.function(lambda: tf.random.uniform((3,)))())]",
        "tensorflow",
    ),
    Case(
        "tensorflow 1",
        TENSORFLOW_1,
        "import tensorflow as tf",
        "tf.reset_default_graph(); tf.set_random_seed(number)",
        "tf.Session().run(tf.random_uniform((3,))).tolist()",
        "tensorflow",
        "tensorflow",
    ),
    Case(
        "mxnet",
        OLD,
        "import mxnet",
        "mxnet.random.seed(number)",
        "mxnet.nd.random.uniform(shape=3).asnumpy().tolist()",
        "mxnet",
    ),
    Case(
        "paddle", PADDLE, "import paddle", "paddle.seed(number)", "paddle.rand([3]).tolist()", "paddle", "paddlepaddle"
    ),
    Case("chainer", OLD, "import chainer, numpy", "numpy.random.seed(number)", _LINEAR, "chainer"),
    Case(
        "chainer 1",
        CHAINERS[1],
        "import chainer.links, numpy",
        "numpy.random.seed(number)",
        _LINEAR,
        "chainer",
        "chainer",
    ),
    Case(
        "scikit-learn",
        SMALL,
        "from sklearn.model_selection import train_test_split; state = None",
        "state = number",
        "train_test_split(list(range(30)), random_state=state)",
        "numpy",
    ),
    # These have no global seed: a program gives each key, stream or model its own, or, as Keras, seeds all there is.
    Case("jax", SMALL, "import jax", "state = number", "jax.random.uniform(jax.random.key(state), (3,)).tolist()"),
    Case(
        "keras",
        TENSORFLOW,
        "import keras",
        "keras.utils.set_random_seed(number)",
        "keras.random.uniform((3,)).numpy().tolist()",
    ),
    Case(
        "theano",
        OLD,
        "import theano; from theano.sandbox.rng_mrg import MRG_RandomStreams",
        "state = number",
        "theano.function([], MRG_RandomStreams(state).uniform((3,)))().tolist()",
    ),
    Case("xgboost", SMALL, f"from xgboost import XGBRegressor; {_DATA}", "state = number", _FIT_XGBOOST),
    Case("lightgbm", SMALL, f"from lightgbm import LGBMRegressor; {_DATA}", "state = number", _FIT_LIGHTGBM),
    Case("catboost", SMALL, f"from catboost import CatBoostRegressor; {_DATA}", "state = number", _FIT_CATBOOST),
)


@pytest.mark.parametrize(
    "case", [*OFTEN, *(pytest.param(case, marks=pytest.mark.long) for case in RARELY)], ids=lambda case: case.name
)
def test_every_seed_of_its_range_is_taken_unchanged(case, runtime_root, tmp_path):
    low, high = case.ends
    # A spec takes no wider one, whatever the backend does.
    widest = min(high, WIDE_SEED_MAX)
    numbers = sorted({low, low + 1, SAFE_SEED_MAX - 1, SAFE_SEED_MAX, widest, high - 1, high})
    code = CODE.replace("IMPORTS", case.imports).replace("SEED", case.seed).replace("DRAW", case.draw)
    code = code.replace("IS_GLOBAL", str(bool(case.backend))).replace("BEYOND", str(high + 1))
    for seed in sorted({SAFE_SEED_MAX, widest}) if case.backend else [SAFE_SEED_MAX]:
        box = make_group_box(case.group, runtime_root, tmp_path / str(seed), seed)
        box.env["THEANO_FLAGS"] = "cxx="
        first, taken, beyond = json.loads(box.script(code.replace("NUMBERS", str(numbers)))[-1])
        assert len({str(one) for one in taken}) == len(numbers), taken
        # Python's own generator takes whatever number there is, and is not in the table.
        assert case.name == "random" or isinstance(beyond, str) or beyond[-1] == taken[0][-1], (beyond, taken)
        if case.backend:
            assert first == taken[numbers.index(seed)]
            assert box.records()[-1]["backends"][case.backend]["seed"] == seed


def test_every_backend_of_the_table_with_a_range_of_its_own_is_tried():
    tried = {case.package or case.name for case in (*OFTEN, *RARELY)}
    ranged = {name for name, entry in TABLE.items() if "max_seed" in entry}
    # CuPy needs an NVIDIA GPU; Keras 2 on TensorFlow takes TensorFlow's seeds.
    assert ranged - tried == {"cupy", "tf-keras"}
