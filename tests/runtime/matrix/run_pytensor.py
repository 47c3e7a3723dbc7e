"""PyTensor's streams, or those of Aesara, as it was called before."""

import numpy
from harness import main

try:
    import pytensor
    from pytensor.tensor.random.utils import RandomStream
except ImportError:
    import aesara as pytensor
    from aesara.tensor.random.utils import RandomStream


def sample(stream):
    return pytensor.function([], stream.uniform(size=(3,)), mode="FAST_COMPILE")().tolist()


def draw():
    return sample(RandomStream(int(numpy.random.randint(2**31 - 1))))


def bare():
    return sample(RandomStream())


if __name__ == "__main__":
    main(draw, bare)
