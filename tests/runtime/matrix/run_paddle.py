"""PaddlePaddle: initial weights, dropout and a step of training."""

import paddle
from harness import main


def draw():
    layer = paddle.nn.Sequential(paddle.nn.Linear(4, 4), paddle.nn.Dropout(0.5), paddle.nn.Linear(4, 1))
    optimizer = paddle.optimizer.SGD(0.1, parameters=layer.parameters())
    layer(paddle.rand([10, 4])).square().sum().backward()
    optimizer.step()
    return layer[0].weight.numpy().ravel().tolist()


if __name__ == "__main__":
    main(draw)
