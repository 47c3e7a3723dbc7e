"""MXNet: initial weights, dropout and a step of training."""

import mxnet as mx
from harness import main


def draw():
    layer = mx.gluon.nn.Sequential()
    layer.add(mx.gluon.nn.Dense(4, in_units=4), mx.gluon.nn.Dropout(0.5), mx.gluon.nn.Dense(1, in_units=4))
    layer.initialize(mx.init.Xavier())
    trainer = mx.gluon.Trainer(layer.collect_params(), "sgd")
    data = mx.nd.random.uniform(shape=(10, 4))
    with mx.autograd.record():
        loss = (layer(data) ** 2).sum()
    loss.backward()
    trainer.step(10)
    return layer[0].weight.data().asnumpy().ravel().tolist()


if __name__ == "__main__":
    main(draw)
