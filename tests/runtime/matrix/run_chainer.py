"""Chainer: initial weights, dropout and a step of training."""

import chainer
import numpy
from harness import main


def draw():
    layer = chainer.links.Linear(4, 2)
    optimizer = chainer.optimizers.SGD()
    optimizer.setup(layer)
    data = numpy.arange(40, dtype="f").reshape(10, 4) / 40
    optimizer.update(lambda: chainer.functions.sum(chainer.functions.dropout(layer(chainer.Variable(data))) ** 2))
    return layer.W.data.ravel().tolist()


def bare():
    return chainer.links.Linear(3, 2).W.data.ravel().tolist()


if __name__ == "__main__":
    main(draw, bare)
