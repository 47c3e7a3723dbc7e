"""Six models whose GPU kernels are known to add in any order, each trained for some steps; it leaves the weights."""

import json
import os
import time
from pathlib import Path

import jax
import numpy
from jax import numpy as jnp

GPU = os.environ.get("REPROBOX_GPU") == "1"
STEPS = 50 if GPU else 3
if GPU and jax.default_backend() != "gpu":
    raise SystemExit("JAX sees no GPU")
# A program makes its own keys: from the run's seed, which NumPy has.
KEY = jax.random.key(int(numpy.random.randint(2**31)))
IMAGES = ("NHWC", "HWIO", "NHWC")


def draw(*shape):
    global KEY
    KEY, part = jax.random.split(KEY)
    return jax.random.normal(part, shape)


def cnn(weights, x):
    for kernel in weights:
        x = jax.nn.relu(jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=IMAGES))
    return x


def lstm(weights, x):
    def step(state, at):
        hidden, cell = state
        gates = at @ weights[0] + hidden @ weights[1]
        enter, forget, leave, new = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(leave) * jnp.tanh(cell)
        return (hidden, cell), hidden

    start = (jnp.zeros((x.shape[0], 64)),) * 2
    return jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))[0][0]


def embedding(weights, x):
    return weights[0][jnp.abs(x * 10).astype(int) % 32] @ weights[1]


def scatter(weights, x):
    rows = jnp.tile(x @ weights[0], (64, 1))
    return jnp.zeros((16, 64)).at[jnp.arange(rows.shape[0]) * 7919 % 16].add(rows)


def attention(weights, x):
    query, key, value = (x @ weight for weight in weights)
    return jax.nn.softmax(query @ jnp.swapaxes(key, 1, 2) / 8) @ value


def conv_transpose(weights, x):
    for kernel in weights:
        x = jax.nn.relu(jax.lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=IMAGES))
    return x


MODELS = {
    "cnn": (cnn, ((3, 3, 3, 16), (3, 3, 16, 32)), (32, 32, 32, 3)),
    "lstm": (lstm, ((32, 256), (64, 256)), (32, 24, 32)),
    "embedding": (embedding, ((32, 64), (64, 8)), (64, 128)),
    "scatter": (scatter, ((64, 64),), (64, 64)),
    "attention": (attention, ((64, 64),) * 3, (16, 48, 64)),
    "conv-transpose": (conv_transpose, ((4, 4, 8, 16), (4, 4, 16, 3)), (16, 12, 12, 8)),
}


def train(model, shapes, shape):
    """Return the weights after some steps, and the seconds that these took."""
    weights, x = [draw(*one) * 0.1 for one in shapes], draw(*shape)
    loss = jax.grad(lambda weights: jnp.mean(model(weights, x) ** 2))
    step = jax.jit(
        lambda weights: [weight - 0.01 * slope for weight, slope in zip(weights, loss(weights), strict=True)]
    )
    jax.block_until_ready(step(weights))
    began = time.monotonic()
    for _ in range(STEPS):
        weights = step(weights)
    jax.block_until_ready(weights)
    spent = time.monotonic() - began
    return numpy.concatenate([numpy.asarray(weight).ravel() for weight in weights]), spent


seconds = {}
for name, parts in MODELS.items():
    weights, seconds[name] = train(*parts)
    numpy.save(f"/output/{name}.npy", weights)
Path("/output/seconds.json").write_text(json.dumps({"device": "cuda" if GPU else "cpu", "seconds": seconds}))
