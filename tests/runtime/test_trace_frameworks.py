"""What a traced run notes of NumPy, PyTorch and Keras without being told."""

import itertools
import json
from dataclasses import replace

import pytest

from .backend_venvs import PADDLE, SMALL, make_group_box
from .test_tensorflow_1 import TENSORFLOWS
from .trace_files import again, events, traced


@pytest.mark.network
class TestNumpy:
    def test_arrays_of_every_kind(self, numpy_box):
        box = traced(numpy_box)
        box.script("""
import numpy, sys
from reprobox_runtime import mark
mark("ramp", numpy.arange(100, dtype="float32"))
mark("strided", numpy.arange(12).reshape(3, 4)[:, ::2])
mark("empty", numpy.zeros((0, 3)))
mark("infinite", numpy.array([numpy.inf, -numpy.inf, numpy.nan] * 30))
mark("texts", numpy.array(["a", "bc"]))
mark("objects", numpy.array([1, "x", None], dtype=object))
mark("dates", numpy.array(["2026-11-21"], dtype="datetime64[D]"))
mark("records", numpy.zeros(3, dtype=[("a", "i4"), ("b", "f8")]))
mark("list", [numpy.float64(1.5)] * 1000)
mark("scalar", numpy.float32(2))
""")
        found = {one["source"]: one["tensors"][0] for one in events(box)}
        assert (found["ramp"]["min"], found["ramp"]["max"], found["ramp"]["sum"]) == (0.0, 99.0, 4950.0)
        assert len(bytes.fromhex(found["ramp"]["sample"])) == 4 * 50
        assert found["strided"]["shape"] == [3, 2]
        assert found["list"]["shape"] == [1000]
        assert found["infinite"]["sum"] is None
        assert (found["objects"]["text"], found["dates"]["dtype"]) == ("[1, 'x', None]", "datetime64[D]")
        assert len({tensor["hash"] for tensor in found.values()}) == len(found)
        assert box.record()["warnings"] == []

    def test_the_global_generator_s_state_is_noted(self, numpy_box):
        box = traced(numpy_box)
        box.script(
            "import numpy\nfrom reprobox_runtime import mark\nfor _ in range(2): mark('x', numpy.random.rand())\n"
        )
        one, other = events(box)
        assert one["rng"]["numpy"] != other["rng"]["numpy"]


TORCH = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
data = TensorDataset(torch.rand(12, 4), torch.rand(12, 1))
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 1)
    def forward(self, x):
        return self.head(self.body(x))
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loose = torch.zeros(3, requires_grad=True)
other = torch.optim.SGD([loose], lr=0.1)
for step, (x, y) in enumerate(DataLoader(data, batch_size=4, shuffle=True)):
    PLANT
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    (loose - step).pow(2).sum().backward()
    other.step()
print(loss.item(), [p.sum().item() for p in model.parameters()])
"""


STEPS = 60
TRAIN = f"""
import time
import torch
from torch import nn
convolutions = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3)
model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(32 * 121, 10))
optimizer = torch.optim.Adam(model.parameters())
x, y = torch.rand(64, 1, 28, 28), torch.randint(0, 10, (64,))
def step():
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
step()
began = time.process_time()
for _ in range({STEPS}):
    step()
print(time.process_time() - began)
"""


@pytest.mark.network
class TestTorch:
    def test_batches_steps_and_names(self, torch_box):
        box = traced(torch_box)
        box.script(TORCH.replace("PLANT", "pass"))
        found = events(box)
        assert [(one["kind"], one["source"], one["step"]) for one in found][:5] == [
            ("batch", "DataLoader", 1),
            ("init", "SGD", 1),
            ("step", "SGD", 1),
            ("init", "SGD#2", 1),
            ("step", "SGD#2", 1),
        ]
        assert [tensor["name"] for tensor in found[2]["tensors"]] == [
            "loss",
            "grad:body.0.weight",
            "grad:body.0.bias",
            "grad:head.weight",
            "grad:head.bias",
            "param:body.0.weight",
            "param:body.0.bias",
            "param:head.weight",
            "param:head.bias",
        ]
        assert [tensor["name"] for tensor in found[4]["tensors"]] == ["loss", "grad:0.0", "param:0.0"]
        assert set(found[2]["rng"]) >= {"torch", "numpy", "random"}
        assert [tensor["shape"] for tensor in found[0]["tensors"]] == [[4, 4], [4, 1]]
        assert box.record()["warnings"] == []

    def test_tracing_changes_no_number(self, torch_box):
        code = TORCH.replace("PLANT", "pass")
        plain = torch_box.script(code)
        assert traced(torch_box).script(code) == plain

    @pytest.mark.long
    def test_it_costs_little(self, torch_box):
        boxes = torch_box, traced(torch_box)
        rounds = []
        # In turn, and as often as a busy machine needs: the least that each took can only come nearer to what it costs.
        while len(rounds) < 8:
            rounds.append([float(again(box).script(TRAIN)[-1]) for box in boxes])
            plain, with_trace = map(min, zip(*rounds, strict=True))
            if with_trace < 1.25 * plain:  # the benchmarks hold it to 10 % of a whole run
                break
        else:
            pytest.fail(f"with and without a trace: {rounds}")
        assert len(events(torch_box)) > STEPS

    def test_every_type_of_tensor(self, torch_box):
        box = traced(torch_box)
        box.script("""
import torch
from reprobox_runtime import log_metric, mark
for dtype in (torch.bfloat16, torch.float16, torch.int8, torch.bool, torch.complex64):
    mark(str(dtype), torch.ones(3, 2, dtype=dtype).t())
mark("sparse", torch.eye(3).to_sparse())
mark("graph", torch.ones(2, requires_grad=True) * 2)
log_metric("loss", torch.ones(1, requires_grad=True) * 2)
""")
        assert [one["tensors"][0]["dtype"] for one in events(box)] == [
            "bfloat16",
            "float16",
            "int8",
            "bool",
            "complex64",
            "float32",
            "float32",
        ]
        assert box.record()["warnings"] == []
        assert json.loads((box.record_folder / "metrics.jsonl").read_text())["value"] == 2.0

    def test_versions_without_hooks_have_the_step_of_every_optimizer_wrapped(self, torch_box):
        code = """
import torch
from reprobox_runtime.trace_torch import _Steps, _wrap_optimizers
class Notes:
    seen = []
    def count(self, kind, source): return 1
    def note(self, kind, source, step, values): self.seen.append([kind, source] + [name for name, _ in values])
    def warn(self, what, error): self.seen.append([what, str(error)])
_wrap_optimizers(torch.optim.Optimizer, _Steps(Notes()))
weight = torch.zeros(2, requires_grad=True)
for make in (torch.optim.SGD, torch.optim.Adam, torch.optim.SGD):
    optimizer = make([weight], lr=0.1)
    weight.sum().backward()
    assert optimizer.step(lambda: 7) == 7
import json; print(json.dumps(Notes.seen))
"""
        names = ["SGD", "Adam", "SGD#2"]
        steps = [["step", name, "grad:0.0", "param:0.0"] for name in names]
        firsts = [["init", name, "param:0.0"] for name in names]
        assert json.loads(torch_box.script(code)[-1]) == [
            one for pair in zip(firsts, steps, strict=True) for one in pair
        ]


KERAS = """
import keras, numpy
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
x, y = numpy.random.rand(12, 4), numpy.random.rand(12, 1)
mine = [keras.callbacks.Callback()]
history = model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=mine)
model.fit(x, y, batch_size=6, verbose=0)
model.train_on_batch(x, y)
print(len(mine), history.history["loss"], [float(w.sum()) for w in model.get_weights()])
"""


OLD_KERAS = """
KERAS
import numpy
model = keras.models.Sequential([keras.layers.Dense(3, input_shape=(4,)), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
x, y = numpy.random.rand(8, 4), numpy.random.rand(8, 1)
model.fit(x, y, 4, epochs=2, verbose=0)
model.train_on_batch(x, y)
"""


@pytest.mark.network
class TestKeras:
    def test_fit_is_noted_batch_by_batch_and_changes_nothing(self, tensorflow_box):
        plain = tensorflow_box.script(KERAS)
        box = traced(again(tensorflow_box))
        assert box.script(KERAS) == plain
        found = events(box)
        assert [(one["kind"], one["source"], one["step"]) for one in found] == [
            ("init", "fit", 1),
            *(("step", "fit", step) for step in range(1, 7)),
            ("init", "fit", 2),
            *(("step", "fit", step) for step in (7, 8)),
            ("step", "train_on_batch", 1),
        ]
        names = [tensor["name"] for tensor in found[1]["tensors"]]
        assert names[0] == "loss"
        assert len(names) == 5
        assert all(name.startswith("param:") for name in names[1:])
        assert {"numpy", "random", "keras"} <= set(found[1]["rng"])
        assert found[1]["rng"]["keras"] != found[2]["rng"]["keras"]
        assert box.record()["warnings"] == []

    def test_fit_is_noted_on_pytorch_too(self, torch_box):
        box = traced(replace(torch_box, env={**torch_box.env, "KERAS_BACKEND": "torch"}))
        box.script(KERAS)
        kinds = [one["kind"] for one in events(box)]
        assert {kind: kinds.count(kind) for kind in ("init", "step")} == {"init": 2, "step": 9}
        assert box.record()["warnings"] == []

    @pytest.mark.long
    def test_fit_is_noted_on_jax_too_with_the_weights_of_each_step(self, runtime_root, tmp_path):
        box = make_group_box(SMALL, runtime_root, tmp_path / "box")
        box.env["KERAS_BACKEND"] = "jax"
        plain = box.script(KERAS)
        box = traced(again(box))
        assert box.script(KERAS) == plain
        found = events(box)
        kinds = [one["kind"] for one in found]
        assert {kind: kinds.count(kind) for kind in ("init", "step")} == {"init": 2, "step": 9}
        # While fit is under way JAX has the weights elsewhere: without being asked for they would stay the first ones.
        weights = [[one["hash"] for one in event["tensors"] if one["name"].startswith("param:")] for event in found]
        assert all(len(one) == 4 for one in weights)
        steps = [one for one, kind in zip(weights, kinds, strict=True) if kind == "step"]
        assert all(one != other for one, other in itertools.pairwise(steps))
        generators = [one["rng"]["keras"] for one, kind in zip(found, kinds, strict=True) if kind == "step"]
        assert len(set(generators)) == len(generators)
        assert box.records()[-1]["warnings"] == []

    @pytest.mark.long
    @pytest.mark.parametrize("version", TENSORFLOWS)
    def test_fit_of_older_versions_is_noted(self, framework_box, version):
        python, requirements = TENSORFLOWS[version]
        box = traced(framework_box(python, *requirements))
        box.env["TF_CPP_MIN_LOG_LEVEL"] = "3"
        box.script(OLD_KERAS.replace("KERAS", "import keras" if version == "1.1.0" else "from tensorflow import keras"))
        found = events(box)
        assert [(one["kind"], one["source"], one["step"]) for one in found] == [
            ("init", "fit", 1),
            *(("step", "fit", step) for step in range(1, 5)),
            ("step", "train_on_batch", 1),
        ]
        assert [len(one["tensors"]) for one in found] == [4, 5, 5, 5, 5, 5]
        assert box.record()["warnings"] == []


@pytest.mark.network
class TestTensorflow:
    def test_the_state_of_its_global_generator_is_noted_once_there_is_one(self, tensorflow_box):
        box = traced(tensorflow_box)
        box.script("""
import tensorflow as tf
from reprobox_runtime import mark
mark("x", 1)
generator = tf.random.Generator.from_seed(5)
tf.random.set_global_generator(generator)
for draws in (0, 0, 1):
    for _ in range(draws): generator.uniform((2,))
    mark("x", 1)
""")
        states = [one["rng"].get("tf.random.Generator") for one in events(box)]
        assert states[0] is None
        assert states[1] == states[2] != states[3]
        assert box.record()["warnings"] == []


@pytest.mark.network
@pytest.mark.long
def test_the_state_of_paddles_generator_is_noted(runtime_root, tmp_path):
    box = traced(make_group_box(PADDLE, runtime_root, tmp_path / "box"))
    code = """
import paddle
from reprobox_runtime import mark
for draws in (0, 0, 1):
    for _ in range(draws): paddle.rand([2])
    mark("x", 1)
"""
    box.script(code)
    first, second, drawn = (one["rng"]["paddle"] for one in events(box))
    assert first == second != drawn
    again(box).script(code)
    assert [one["rng"]["paddle"] for one in events(box)] == [first, second, drawn]
