"""PyTensor's streams."""

import numpy
import pytensor
from harness import main
from pytensor.tensor.random.utils import RandomStream


def sample(stream):
    return pytensor.function([], stream.uniform(size=(3,)), mode="FAST_COMPILE")().tolist()


def draw():
    return sample(RandomStream(int(numpy.random.randint(2**31 - 1))))


def bare():
    return sample(RandomStream())


if __name__ == "__main__":
    main(draw, bare)
