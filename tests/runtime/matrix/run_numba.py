"""Both generators of compiled code."""

import random

import numpy
from harness import main
from numba import njit


@njit
def draw_compiled():
    return numpy.random.rand(), numpy.random.normal(), random.random()


def draw():
    return list(draw_compiled())


if __name__ == "__main__":
    main(draw)
