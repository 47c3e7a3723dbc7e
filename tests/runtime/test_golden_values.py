"""Seed 32 gives these numbers: Python under every version, NumPy, PyTorch, TensorFlow and Keras as far as they agree.

Only ``rand`` and integers: what is drawn from a normal distribution depends on the C library and on the processor.
"""

import json

import pytest

from .conftest import FOUND, make_contract

PYTHON = """
import random
print([random.random(), random.randint(0, 10**6)])
random.seed(32)
numbers = list(range(8))
random.shuffle(numbers)
print(numbers)
print([random.Random(0).random(), random.Random("reprobox").random()])
"""


def test_python(box):
    assert box.script(PYTHON) == [
        "[0.07742178385330412, 223993]",
        "[4, 0, 3, 5, 2, 6, 7, 1]",
        "[0.8444218515250481, 0.21534797335808042]",
    ]


def test_hashes(box):
    expected = -9053863281365768797 if _is_before(box, 11) else -1956228357202485949
    assert box.script("print(hash('reprobox'))") == [str(expected)]


def test_hashes_with_seed_0(box):
    box.env["PYTHONHASHSEED"] = "0"
    expected = 2983667983608186483 if _is_before(box, 11) else 6897377874057353669
    assert box.script("print(hash('reprobox'))") == [str(expected)]


def _is_before(box, minor):
    return int(box.python_code("import sys; print(sys.version_info[1])").stdout) < minor


NUMPY = """
import json, numpy
print(json.dumps(numpy.random.rand(3).tolist()))
numpy.random.seed(32)
print(json.dumps([numpy.random.randint(0, 1000, 5).tolist(), numpy.random.permutation(8).tolist()]))
"""


@pytest.mark.network
@pytest.mark.parametrize(
    ("python", "requirement"),
    [(FOUND[0], "numpy"), (FOUND[-1], "numpy"), ("3.6", "numpy==1.16.6"), ("3.6", "numpy==1.18.5")],
)
def test_numpy(framework_box, python, requirement):
    box = framework_box(python, requirement)
    assert [json.loads(line) for line in box.script(NUMPY)] == [
        [0.8588892672930397, 0.37271115497527996, 0.5551287779985967],
        [[727, 555, 901, 310, 892], [7, 1, 2, 5, 4, 3, 0, 6]],
    ]


@pytest.mark.network
def test_numpys_new_generators(numpy_box):
    code = """
import numpy
print(numpy.random.default_rng(32).random(3).tolist(), numpy.random.default_rng(32).integers(0, 1000, 5).tolist())
"""
    assert numpy_box.script(code) == [
        "[0.16024283037476805, 0.5722294954720839, 0.37713555396147] [878, 160, 859, 572, 423]"
    ]


@pytest.mark.network
def test_torch(torch_box):
    code = """
import torch
print(torch.rand(3).tolist())
torch.manual_seed(32)
print(torch.randperm(8).tolist())
torch.manual_seed(32)
print(torch.randint(0, 1000, (5,)).tolist())
generator = torch.Generator()
print(generator.initial_seed(), torch.rand(2, generator=generator).tolist())
"""
    assert torch_box.script(code) == [
        "[0.8756536841392517, 0.27206677198410034, 0.4140551686286926]",
        "[7, 0, 5, 1, 4, 2, 6, 3]",
        "[335, 763, 213, 374, 964]",
        "67280421310721 [0.267295241355896, 0.8725283145904541]",
    ]


@pytest.mark.network
def test_tensorflow(tensorflow_box):
    code = "import tensorflow as tf; print(tf.random.uniform((3,)).numpy().tolist())"
    assert tensorflow_box.script(code) == ["[0.5452059507369995, 0.13372337818145752, 0.4523266553878784]"]


@pytest.mark.network
def test_keras(tensorflow_box):
    # Importing Keras imports rich, which draws from random: only from here on it is as if nothing had.
    code = """
import keras
keras.utils.set_random_seed(32)
print(keras.random.uniform((3,)).numpy().tolist())
"""
    assert tensorflow_box.script(code) == ["[0.6612913608551025, 0.3510890007019043, 0.4610532522201538]"]


@pytest.mark.network
def test_numbers_are_the_same_at_level_seeded(torch_box):
    torch_box.contract = make_contract("seeded")
    assert torch_box.script("import torch; print(torch.rand(1).item())") == ["0.8756536841392517"]


ENDS = """
import random, numpy, torch
def draw(): return random.random(), numpy.random.rand(), torch.rand(1).item()
drawn = draw()
for seed in (random.seed, numpy.random.seed, torch.manual_seed): seed(SEED)
print(drawn == draw(), drawn)
"""


@pytest.mark.network
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_ends_of_the_range_are_taken_unchanged(torch_box, seed):
    torch_box.contract = make_contract(seed=seed)
    first = torch_box.script(ENDS.replace("SEED", str(seed)))
    assert first[0].startswith("True")
    assert first == torch_box.script(ENDS.replace("SEED", str(seed)))
    seeds = {name: backend["seed"] for name, backend in torch_box.records()[-1]["backends"].items()}
    assert {seeds[name] for name in ("random", "numpy", "torch")} == {seed}


@pytest.mark.network
def test_tensorflow_takes_0_unchanged(tensorflow_box):
    tensorflow_box.contract = make_contract(seed=0)
    code = """
import tensorflow as tf
drawn = tf.random.uniform((3,)).numpy().tolist()
tf.random.set_seed(0)
print(drawn == tf.random.uniform((3,)).numpy().tolist())
"""
    assert tensorflow_box.script(code) == ["True"]
    assert tensorflow_box.record()["backends"]["tensorflow"]["seed"] == 0
