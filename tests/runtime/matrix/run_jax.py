"""JAX: a key made from the run's seed, and a step of training."""

import jax
import jax.numpy as jnp
import numpy
from harness import main


def draw():
    key = jax.random.key(int(numpy.random.randint(2**31 - 1)))
    weights = jax.random.normal(key, (8, 4))
    data = jnp.arange(80.0).reshape(10, 8) / 80
    step = jax.jit(jax.grad(lambda weights: jnp.tanh(data @ weights).sum()))
    return (weights - 0.1 * step(weights)).ravel().tolist()


if __name__ == "__main__":
    main(draw)
