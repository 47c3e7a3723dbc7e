"""Theano: streams with a seed from the run's, and without one."""

import numpy
import theano
from harness import main
from theano.tensor.shared_randomstreams import RandomStreams


def sample(stream):
    return theano.function([], stream.uniform((3,)))().tolist()


def draw():
    return sample(RandomStreams(int(numpy.random.randint(1, 2147462579))))


def bare():
    return sample(RandomStreams())


if __name__ == "__main__":
    main(draw, bare)
