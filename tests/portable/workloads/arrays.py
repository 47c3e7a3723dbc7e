"""What NumPy computes, as one digest a kind of computation: a line of JSON."""

import hashlib
import json
import math

import numpy as np


def digest(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def train(x, y):
    """Fit a small network by gradient descent, as one would by hand."""
    first, second = np.random.standard_normal((80, 16)) / 9, np.random.standard_normal((16, 1)) / 4
    for _ in range(10):
        hidden = np.tanh(x @ first)
        error = 1 / (1 + np.exp(-(hidden @ second))) - y
        back = error @ second.T * (1 - hidden**2)
        second -= 0.5 * hidden.T @ error / len(x)
        first -= 0.5 * x.T @ back / len(x)
    return first


np.random.seed(32)
x = np.random.rand(96, 80)
single = x.astype(np.float32)
print(
    json.dumps(
        {
            "uniform": digest(x),
            "generator": digest(np.random.default_rng(32).standard_normal(500)),
            "normal": digest(np.random.standard_normal(20000)),
            "sum": digest(x.sum(axis=0)),
            "product": digest(x @ x.T),
            "product32": digest(single @ single.T),
            "exp": digest(np.exp(x)),
            "exp32": digest(np.exp(single)),
            "log": digest(np.log(x + 1)),
            "sin": digest(np.sin(x)),
            "tanh": digest(np.tanh(single)),
            "power": digest(x**1.7),
            "sqrt": digest(np.sqrt(x)),
            "singular values": digest(np.linalg.svd(x)[1]),
            "solution": digest(np.linalg.solve(x[:80], x[0])),
            "math": digest(
                [function(v) for v in x[:40].flat for function in (math.exp, math.sin, math.tanh, math.log1p)]
            ),
            "trained": digest(train(x, (x[:, :1] > 0.5).astype(float))),
        }
    )
)
