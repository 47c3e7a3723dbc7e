"""Keras 3 on each of its backends, and Keras 2: layers, dropout and training repeat, and differ with the seed."""

import json

import pytest

from .backend_venvs import SMALL, make_group_box
from .conftest import SEED

pytestmark = pytest.mark.network

TRAIN = """
import hashlib, json, sys
import keras, numpy
layer = keras.layers.Dense(3)
layer.build((None, 2))
dropped = keras.layers.Dropout(0.5)(numpy.ones((2, 4), "float32"), training=True)
model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
)
model.compile("adam", "mse")
data = numpy.random.rand(64, 4).astype("float32")
model.fit(data, data.sum(1), epochs=2, verbose=0, batch_size=8)
weights = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
print(json.dumps({
    "backend": keras.backend.backend(),
    "layer": layer.get_weights()[0].tolist(),
    "dropped": keras.ops.convert_to_numpy(dropped).tolist(),
    "uniform": keras.ops.convert_to_numpy(keras.random.uniform((2,))).tolist(),
    "weights": weights,
    "loaded": [name for name in ("tensorflow", "torch", "jax") if name in sys.modules],
}))
"""


@pytest.fixture(params=["tensorflow", *(pytest.param(name, marks=pytest.mark.long) for name in ("torch", "jax"))])
def keras_box(request, runtime_root, tmp_path):
    if request.param == "jax":
        box = make_group_box(SMALL, runtime_root, tmp_path / "box")
    else:
        box = request.getfixturevalue(f"{request.param}_box")
    box.env["KERAS_BACKEND"] = request.param
    return box


def _train(box):
    return json.loads(box.script(TRAIN)[-1])


def test_it_repeats_and_differs_with_the_seed(keras_box):
    first = _train(keras_box)
    assert first == _train(keras_box)
    keras_box.contract["seed"] = SEED + 1
    other = _train(keras_box)
    assert all(first[name] != other[name] for name in ("layer", "dropped", "uniform", "weights"))


def test_only_its_backend_is_imported_and_it_is_told_the_seed(keras_box):
    found = _train(keras_box)
    assert found["loaded"] == [found["backend"]] == [keras_box.env["KERAS_BACKEND"]]
    record = keras_box.record()
    assert record["backends"]["keras"]["seed"] == SEED
    assert record["suspects"] == []


def test_seeding_it_again_is_noted(keras_box):
    keras_box.script("import keras\nkeras.utils.set_random_seed(32)\nkeras.utils.set_random_seed(7)")
    assert [(one["kind"], one["where"]) for one in keras_box.record()["suspects"]] == [("reseeded", "script.py:3")]


INFER = """
import json
import keras, numpy
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
try:
    model.compile("adam", "mse")
    model.fit(numpy.ones((8, 4)), numpy.ones(8), verbose=0)
except NotImplementedError:
    print(json.dumps({
        "predicted": model.predict(numpy.ones((2, 4)), verbose=0).tolist(),
        "dropped": numpy.asarray(keras.layers.Dropout(0.5)(numpy.ones((4, 4)), training=True)).tolist(),
        "uniform": numpy.asarray(keras.random.uniform((2,))).tolist(),
        "backend": keras.backend.backend(),
    }))
"""


@pytest.mark.long
@pytest.mark.parametrize("backend", ["numpy", "openvino"])
def test_on_backends_that_do_not_train_it_repeats_too(runtime_root, tmp_path, backend):
    box = make_group_box(SMALL, runtime_root, tmp_path / "box")
    box.env["KERAS_BACKEND"] = backend
    first, second = (json.loads(box.script(INFER)[-1]) for _ in range(2))
    assert first == second
    assert first["backend"] == backend
    record = box.records()[0]
    assert (record["backends"]["keras"]["seed"], record["suspects"]) == (SEED, [])
    box.contract["seed"] = SEED + 1
    other = json.loads(box.script(INFER)[-1])
    assert all(first[name] != other[name] for name in ("predicted", "dropped", "uniform"))
