"""What JAX computes on a CPU, as one digest a kind of computation: a line of JSON.

All of it is compiled at once: compiling is what takes the time on a model of a processor.
"""

import hashlib
import json
import sys

import jax
import numpy
from jax import numpy as jnp


def digest(array):
    return hashlib.sha256(numpy.asarray(array).tobytes()).hexdigest()[:16]


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME")


def train(loss, *shapes):
    """Take a few steps by SGD and return every weight."""
    keys = jax.random.split(jax.random.key(32), len(shapes))
    start = [jax.random.normal(key, shape) * 0.05 for key, shape in zip(keys, shapes, strict=True)]

    def step(_, weights):
        return [weight - 0.1 * slope for weight, slope in zip(weights, jax.grad(loss)(weights), strict=True)]

    return jnp.concatenate([weight.ravel() for weight in jax.lax.fori_loop(0, 4, step, start)])


@jax.jit
def compute(key):
    x = jax.random.uniform(key, (256, 256))
    images, kernel = jax.random.normal(key, (8, 3, 6, 6)), jax.random.normal(key, (4, 3, 3, 3))

    def perceptron(weights):
        hidden = jnp.tanh(x[:32] @ weights[0] + weights[1])
        return jnp.mean((hidden @ weights[2] + weights[3] - x[:32, :10]) ** 2)

    def network(weights):
        hidden = jnp.maximum(convolve(images, weights[0]), 0).reshape(8, -1)
        return jnp.mean((hidden @ weights[1] - x[:8, :10]) ** 2)

    return {
        "uniform": x,
        "normal": jax.random.normal(key, (5000,)),
        "product": x @ x.T,
        "exp": jnp.exp(x),
        "softmax": jax.nn.softmax(x),
        "gradient of a convolution": jax.grad(lambda kernel: (convolve(images, kernel) ** 2).sum())(kernel),
        "perceptron by SGD": train(perceptron, (256, 64), (64,), (64, 10), (10,)),
        "network by SGD": train(network, (4, 3, 3, 3), (4 * 36, 10)),
    }


json.dump({name: digest(array) for name, array in compute(jax.random.key(32)).items()}, sys.stdout)
