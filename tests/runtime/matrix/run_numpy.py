"""NumPy's global generator, and one without a seed."""

import numpy
from harness import main


def draw():
    return numpy.random.rand(4).tolist()


def bare():
    return numpy.random.default_rng().random(3).tolist()


if __name__ == "__main__":
    main(draw, bare)
